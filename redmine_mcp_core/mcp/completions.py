"""What a client offers while a person fills in an argument of a prompt or a resource template.

FastMCP knows one handler for all of them; this one goes by the argument's name, so that `project`
is completed alike wherever it stands (MCP specification, server/utilities/completion).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fastmcp.server.completions import CompletionReference
from mcp_types import CompletionArgument, CompletionContext

from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.redmine import Redmine, RedmineError
from redmine_mcp_core.tools.components import Completer
from redmine_mcp_core.tools.current import current_identity


class Completions:
    """The plugins' completers by the name of the argument, run as the caller."""

    def __init__(self, completers: Sequence[tuple[str, Completer]]) -> None:
        self._completers = completers

    async def complete(
        self,
        _reference: CompletionReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> list[str]:
        """Values for the argument, each once; none where nobody knows any."""
        redmine = current_identity().redmine
        given = (context and context.arguments) or {}
        offers = await asyncio.gather(
            *(
                _offered(completer, argument, redmine, given)
                for name, completer in self._completers
                if name == argument.name
            )
        )
        return list(dict.fromkeys(value for values in offers for value in values))


async def _offered(
    completer: Completer, argument: CompletionArgument, redmine: Redmine, given: Mapping[str, str]
) -> list[str]:
    """What one completer offers. It is a help in typing, so what goes wrong offers nothing."""
    try:
        return list(await completer(argument.value, redmine, given))
    except RedmineError:
        return []
    except Exception:  # noqa: BLE001 - a stranger's code may raise anything
        log.exception("completion_failed", argument=argument.name)
        return []
