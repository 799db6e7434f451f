"""The log lines of libraries, without what they quote.

A library puts what it was sent into its sentences: addresses, names, parameters, errors. What is
its own of such a line is known: the words that stand in its source. All others are somebody's.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from functools import lru_cache
from pathlib import Path
from typing import Any

HIDDEN = "***"

LIBRARIES = frozenset(
    """
    anyio asyncio authlib fastmcp httpcore httpcore2 httpx httpx2 joserfc key_value mcp
    opentelemetry redis requests sse_starlette starlette urllib3 uvicorn
    """.split()
)
"""Those that requests pass through. A plugin's own lines are its own business."""

_WORD = re.compile(r"\w+")
_SMALL_NUMBER = re.compile(r"[0-9]{1,3}")
"""A status, a count or a number of seconds."""


def without_quotations(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor for the lines of the standard library's loggers."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and record.name.split(".")[0] in LIBRARIES:
        return {**_basics(event), "event": _own_words(str(event["event"]), record.pathname)}
    return event


def _basics(event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Without the fields that a library added: what they hold, nobody here knows."""
    kept = "_record", "_from_structlog", "exc_info"
    return {name: event[name] for name in kept if name in event}


def _own_words(message: str, source: str) -> str:
    known = _words_in(source)

    def shown(match: re.Match[str]) -> str:
        word = match[0]
        return word if word in known or _SMALL_NUMBER.fullmatch(word) else HIDDEN

    return _WORD.sub(shown, message)


@lru_cache(maxsize=256)
def _words_in(source: str) -> frozenset[str]:
    try:
        return frozenset(_WORD.findall(Path(source).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return frozenset()
