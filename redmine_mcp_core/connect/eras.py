"""A server of one protocol era as a client of the other one sees it: what both ways share.

Most servers speak both eras, and then none of this runs. It is for a client that knows only the
handshake before a server that has dropped it, and for a client that knows only 2026-07-28 before
a server that does not yet speak it.

What a server asks of the person (elicitation, sampling, roots) goes two ways: in the handshake era
the server sends a request of its own in the middle of its answer; since 2026-07-28 it answers
``input_required`` and the client sends its request again, with what was asked for.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.messages import Message
from redmine_mcp_core.connect.remote import Remote

PREFIX = "redmine-mcp-connect"
"""What the ids of our own requests begin with, so that they are none of the client's."""


async def speaks_modern(remote: Remote, envelope: dict[str, Any]) -> bool:
    """Whether a server speaks 2026-07-28."""
    return await discovered(remote, envelope) is not None


async def discovered(remote: Remote, envelope: dict[str, Any]) -> dict[str, Any] | None:
    """What a server of 2026-07-28 says of itself; None from any other.

    Raises:
        ConnectError: the server could not be asked, so nothing is known.
    """
    probe = rpc.request(f"{PREFIX}-discover", "server/discover", {"_meta": envelope})
    answer = await ask(remote, probe)
    problem = answer.get("error") or {}
    if problem.get("code") == rpc.CONNECTION_CLOSED:
        raise ConnectError(problem["message"])
    result = answer.get("result") or {}
    return result if rpc.MODERN in (result.get("supportedVersions") or ()) else None


async def ask(remote: Remote, request: Message) -> Message:
    """The answer to a request of our own; what comes with it is of no use."""
    answer: Message = {}
    async with aclosing(remote.post(request)) as replies:
        async for reply in replies:
            answer = reply if rpc.is_answer(reply) else answer
    return answer
