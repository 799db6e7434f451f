"""One request on its way to a tool: who is it, may they, do it, tell those who watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from fastmcp.exceptions import ToolError, ValidationError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from mcp_types import CallToolRequestParams

from redmine_mcp_core.components import RedmineTool
from redmine_mcp_core.current import Identity, acting_as, current_identity
from redmine_mcp_core.events import Event, EventKind, Refusal, ToolCall
from redmine_mcp_core.index import ComponentIndex
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.selection import Offer

Identify = Callable[[], Identity | None]
"""Who makes the present request: a strategy, so that tests and other ways in can bring theirs."""


class CallMiddleware(Middleware):
    """Runs every request as its caller, and every tool call past the plugins' rules."""

    def __init__(
        self, identify: Identify, index: ComponentIndex, plugins: Plugins, offer: Offer
    ) -> None:
        self._identify = identify
        self._index = index
        self._plugins = plugins
        self._offer = offer

    async def on_request(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        with acting_as(self._identify()):
            return await call_next(context)

    async def on_list_tools(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """Only what this sign-in can call: a tool that must fail is noise to a model."""
        caller = current_identity().caller
        return [
            tool
            for tool in await call_next(context)
            if not isinstance(tool, RedmineTool)
            or (caller.may(tool.declaration.scopes) and not self._offer.refusal(tool.declaration))
        ]

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        tool = self._index.tools.get(context.message.name)
        if tool is None:
            return await call_next(context)
        caller = current_identity().caller
        started = time.monotonic()

        def tell(kind: EventKind, reason: str | None = None) -> None:
            seconds = time.monotonic() - started
            self._plugins.emit(
                Event(kind, caller.user_id, caller.client_id, tool.name, reason, seconds)
            )

        try:
            self._plugins.before_tool_call(
                ToolCall(tool.declaration, context.message.arguments or {}, caller)
            )
        except Refusal as refusal:
            tell(EventKind.TOOL_REFUSED, refusal.code)
            raise ToolError(f"{refusal} [{refusal.code}]") from refusal
        except Exception as error:
            log.exception("hook_failed", hook="before_tool_call", tool=tool.name)
            tell(EventKind.TOOL_REFUSED, "rule_failed")
            raise ToolError(
                "A rule of this server could not be checked, so nothing was done. "
                "Tell its operator. [rule_failed]"
            ) from error
        try:
            result = await call_next(context)
        except Exception as error:
            tell(EventKind.TOOL_FAILED, _reason(error))
            raise
        tell(EventKind.TOOL_CALLED)
        return result


def _reason(error: Exception) -> str:
    match error.__cause__:
        case RedmineError() as cause:
            return cause.code
        case ValidationError():
            return "bad_arguments"
        case _:
            return "internal"
