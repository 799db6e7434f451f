"""What happens in the server, as plugins may observe it. No event carries a token or a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.declaration import ToolDeclaration


class EventKind(StrEnum):
    """Every event there is."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    TOOL_CALLED = "tool_called"
    TOOL_FAILED = "tool_failed"
    TOOL_REFUSED = "tool_refused"


@dataclass(frozen=True, slots=True)
class Event:
    kind: EventKind
    user_id: int | None = None
    client_id: str | None = None
    tool: str | None = None
    reason: str | None = None
    """A stable code for why something failed or was refused."""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call before it runs."""

    declaration: ToolDeclaration
    arguments: Mapping[str, Any]
    caller: Caller


class Refusal(Exception):
    """A call may not run. The message is for the person; the code is stable, for programs."""

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code
