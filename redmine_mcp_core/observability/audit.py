"""The audit trail: who did what to which object, one line each, and never a text.

What only reads is left out: a server that notes down who read what is a watch on its users.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

import structlog

from redmine_mcp_core.events import Event, EventKind
from redmine_mcp_core.observability.logs import AUDIT_LOGGER
from redmine_mcp_core.tools.declaration import Effect

FIELDS: Mapping[str, str] = {
    "time": "When, in UTC. In the log it is the line's own `timestamp`.",
    "action": "What happened: one of the events above.",
    "user_id": "The Redmine user's id, where it is known.",
    "login": "Their login.",
    "client_id": "The MCP client they signed in with.",
    "tool": "The tool that was called.",
    "effect": "`writes` or `destroys`.",
    "objects": "What it was about, by kind and id, as the tool's result or its arguments name it.",
    "reason": "Why it failed or was refused: a stable code.",
    "request_id": "The id under which the log, and Redmine's own, tell more.",
}
_SIGN_INS = frozenset(
    {
        EventKind.SIGNED_IN,
        EventKind.SIGN_IN_FAILED,
        EventKind.SIGNED_OUT,
        EventKind.REVOKED,
        EventKind.REFRESH_FAILED,
        EventKind.REFRESH_REPLAYED,
    }
)
_CALLS = frozenset({EventKind.TOOL_CALLED, EventKind.TOOL_FAILED, EventKind.TOOL_REFUSED})

Write = Callable[[Mapping[str, Any]], None]


class Audit:
    """Writes a line for each write and for each begin and end of a sign-in."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def note(self, event: Event) -> None:
        """Write the line of this event, if it has one. Raises ``OSError`` if it cannot."""
        if event.kind in _SIGN_INS or (event.kind in _CALLS and _writes(event)):
            self._write(_line(event))


def to_log(line: Mapping[str, Any]) -> None:
    """Write a line into the log, whatever its level."""
    structlog.stdlib.get_logger(AUDIT_LOGGER).info("audit", **line)


@contextmanager
def appending_to(path: Path) -> Iterator[Write]:
    """Append lines to a file that only its owner may read; one that was rotated is opened anew.

    Raises ``OSError`` if it cannot be opened.
    """
    handler = _AuditFile(path, encoding="utf-8")

    def write(line: Mapping[str, Any]) -> None:
        text = json.dumps({"time": datetime.now(UTC).isoformat(), **line})
        handler.handle(logging.makeLogRecord({"msg": text}))

    try:
        yield write
    finally:
        handler.close()


class _AuditFile(WatchedFileHandler):
    """The standard library's file that notices its rotation, readable by its owner alone."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        raise  # logging calls this while the error is being handled


def _writes(event: Event) -> bool:
    return event.effect in {Effect.WRITES, Effect.DESTROYS}


def _line(event: Event) -> dict[str, Any]:
    line = {
        "action": str(event.kind),
        "user_id": event.user_id,
        "login": event.login,
        "client_id": event.client_id,
        "tool": event.tool,
        "effect": event.effect and str(event.effect),
        "objects": list(event.objects),
        "reason": event.reason,
        "request_id": event.request_id,
    }
    return {name: value for name, value in line.items() if value not in (None, [])}
