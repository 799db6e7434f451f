"""One request on its way to a tool: who is it, may they, do it, tell those who watch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Sequence
from contextlib import ExitStack
from typing import Any

from fastmcp.exceptions import (
    FastMCPError,
    NotFoundError,
    PromptError,
    ResourceError,
    ToolError,
    ValidationError,
)
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from fastmcp.tools.base import InputRequiredToolResult
from mcp_types import CallToolRequestParams, TextContent

from redmine_mcp_core.events import Event, EventKind, Refusal, ToolCall
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Offer
from redmine_mcp_core.mcp.subjects import objects_of
from redmine_mcp_core.observability import traces
from redmine_mcp_core.observability.correlation import (
    accepted,
    current_request_id,
    request_id_bound,
    told_to_operator,
)
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.tools.components import RedmineTool
from redmine_mcp_core.tools.current import Identity, acting_as, current_identity
from redmine_mcp_core.tools.declaration import Effect

Identify = Callable[[], Identity | None]
"""Who makes the present request: a strategy, so that tests and other ways in can bring theirs."""

Tell = Callable[..., None]
"""Tells those who watch how a call ended: the kind of event, a reason, and the result."""

INTERNAL = "internal"
"""The code of a failure that is nobody's business but the operator's."""


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
        identity = self._identify()
        with ExitStack() as stack:
            if current_request_id() is None:  # it did not come over HTTP
                stack.enter_context(request_id_bound(accepted(None)))
            stack.enter_context(acting_as(identity))
            span = stack.enter_context(
                traces.message(
                    context.method or "",
                    tool=self._known(context.message),
                    user_id=identity.caller.user_id if identity else None,
                )
            )
            try:
                return await call_next(context)
            except Exception as error:
                code = _code(error)
                span.fail(code)
                if code == INTERNAL and isinstance(error, ResourceError | PromptError):
                    raise type(error)(told_to_operator()) from error
                raise

    def _known(self, message: Any) -> str | None:
        """The name of the tool that is called, if there is one of that name."""
        tool = self._index.tools.get(getattr(message, "name", ""))
        return tool.name if tool else None

    async def on_list_tools(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """Only what this sign-in can call: a tool that must fail is noise to a model."""
        caller = current_identity().caller
        return [
            tool
            for tool in await call_next(context)
            if not isinstance(tool, RedmineTool)
            or (
                caller.may(tool.declaration.scopes)
                and (tool.declaration.reads or not caller.read_only)
                and not self._offer.refusal(tool.declaration)
            )
        ]

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        tool = self._index.tools.get(context.message.name)
        if tool is None:
            return await self._beside_the_index(context, call_next)
        call = ToolCall(
            tool.declaration, context.message.arguments or {}, current_identity().caller
        )
        tell = self._teller(call, tool.parameters["properties"])
        self._check(call, tell)
        try:
            result = await call_next(context)
        except Exception as error:
            code = _code(error)
            tell(EventKind.TOOL_FAILED, code)
            if code == INTERNAL:
                raise ToolError(f"{told_to_operator()} [{INTERNAL}]") from error
            raise
        asked = isinstance(result, InputRequiredToolResult)
        tell(EventKind.TOOL_ASKED if asked else EventKind.TOOL_CALLED, result=result)
        return result

    def _teller(self, call: ToolCall, declared: Container[str]) -> Tell:
        name = call.declaration.name
        dry = call.arguments.get("dry_run") is True
        effect = Effect.READS if dry else call.declaration.effect
        # What a tool does not know is somebody's text, name and all.
        known = {name: value for name, value in call.arguments.items() if name in declared}
        started = time.monotonic()

        def tell(
            kind: EventKind, reason: str | None = None, result: ToolResult | None = None
        ) -> None:
            data = result.structured_content if result else None
            reads = effect is Effect.READS
            self._emit(
                kind,
                tool=name,
                reason=reason,
                seconds=time.monotonic() - started,
                effect=effect,
                objects=() if reads else objects_of(name, known, data),
                size=_size(result) if result else None,
            )

        return tell

    def _check(self, call: ToolCall, tell: Tell) -> None:
        """Ask the plugins' rules. Raises ``ToolError`` where one says no, or cannot be asked."""
        try:
            self._plugins.before_tool_call(call)
        except Refusal as refusal:
            tell(EventKind.TOOL_REFUSED, refusal.code)
            raise ToolError(f"{refusal} [{refusal.code}]") from refusal
        except Exception as error:
            log.exception("hook_failed", hook="before_tool_call", tool=call.declaration.name)
            tell(EventKind.TOOL_REFUSED, "rule_failed")
            raise ToolError(
                "A rule of this server could not be checked, so nothing was done. "
                f"Tell its operator, with the reference {current_request_id()}. [rule_failed]"
            ) from error

    async def _beside_the_index(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """A tool that no plugin declared: one of the search, or one that does not exist."""
        try:
            return await call_next(context)
        except (NotFoundError, ToolError) as error:
            if isinstance(error, NotFoundError) or isinstance(error.__cause__, NotFoundError):
                self._emit(EventKind.TOOL_REFUSED, reason="unknown_tool")
            raise

    def _emit(self, kind: EventKind, **about: Any) -> None:
        caller = current_identity().caller
        event = Event(kind, caller.user_id, caller.client_id, login=caller.login, **about)
        self._plugins.emit(event)


def _size(result: ToolResult) -> int:
    """Bytes of what a model reads."""
    texts = (block.text for block in result.content if isinstance(block, TextContent))
    return sum(len(text.encode()) for text in texts)


def _code(error: Exception) -> str:
    """Why a request failed, as a stable code."""
    match error.__cause__:
        case RedmineError() | Refusal() as cause:
            return cause.code
        case ValidationError():
            return "bad_arguments"
        case None if isinstance(error, NotFoundError):
            return "unknown"
        case cause if isinstance(error, FastMCPError):
            # What a component says to the person it marks as nothing to log (tools/components.py).
            return "told" if cause is None or error.log_level <= logging.DEBUG else INTERNAL
        case _:
            return INTERNAL
