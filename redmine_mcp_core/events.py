"""What happens in the server, as plugins may observe it. No event carries a token or a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.observability.correlation import current_request_id
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration


class EventKind(StrEnum):
    """Every event there is."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> EventKind:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    SIGNED_IN = "signed_in", "Somebody signed in."
    SIGN_IN_FAILED = "sign_in_failed", "A sign-in was denied, or could not be completed."
    SIGNED_OUT = "signed_out", "A sign-in was ended by its user."
    REVOKED = "revoked", "A sign-in was ended by somebody else: an operator, Redmine, or a rule."
    REFRESHED = "refreshed", "A client renewed its tokens."
    REFRESH_FAILED = "refresh_failed", "A refresh was refused: the client must sign in again."
    REFRESH_POSTPONED = "refresh_postponed", "A refresh could not be asked for now, and may later."
    REFRESH_REPLAYED = "refresh_replayed", "A refresh token came again after it had been used."
    LIMITED = "limited", "A request was turned away because there were too many."
    TOOL_CALLED = "tool_called", "A tool did what it was asked."
    TOOL_ASKED = "tool_asked", "A tool asks the person first; the client calls again."
    TOOL_FAILED = "tool_failed", "A tool did not do what it was asked."
    TOOL_REFUSED = "tool_refused", "A rule kept a tool from running, or there is no such tool."


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, and to whom."""

    kind: EventKind
    user_id: int | None = None
    client_id: str | None = None
    tool: str | None = None
    """None for a tool that does not exist: a name that somebody made up is a text."""
    reason: str | None = None
    """A stable code for why something failed or was refused."""
    seconds: float | None = None
    login: str | None = None
    effect: Effect | None = None
    """What the call was to do to Redmine. A dry run reads, whatever its tool does else."""
    objects: tuple[str, ...] = ()
    """What a call was about, by kind and id: ``issue 5``, ``attachment 7``."""
    size: int | None = None
    """Bytes of text that the answer gives a model to read."""
    request_id: str | None = field(default_factory=current_request_id)


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
