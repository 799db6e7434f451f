"""What Redmine's answers mean, as pure functions: no network, no clock.

The rules were measured on Redmine 6.1.5; ``tests/contract`` holds a real one to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from redmine_mcp_core.redmine.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    RedmineError,
    ServerError,
    Unauthorized,
    Unreadable,
)

PAGE_SIZE = 25
"""What Redmine returns when ``limit`` is absent or 0."""
MAX_PAGE_SIZE = 100
"""Redmine lowers any larger ``limit`` to this (app/controllers/application_controller.rb)."""

IDENTIFIER = re.compile(r"[a-z0-9_-]{1,100}")
"""A project's identifier (app/models/project.rb), or its id."""

_SAFE_SEGMENT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


def segment(value: int | str) -> str:
    """A value as one path segment; anything that could leave the segment is refused.

    Identifiers in Redmine consist of lower-case letters, digits, dashes and underscores
    (app/models/project.rb), so nothing that is refused here could exist.
    """
    text = str(value)
    if not _SAFE_SEGMENT.fullmatch(text):
        raise NotFound(f"“{text[:50]}”")
    return text


def query(params: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Query parameters as Redmine reads them: no nulls, lists joined by commas, booleans as 0/1.

    A name that ends in ``[]`` is repeated for each of its values.
    """
    return {
        name: [_value(one) for one in value] if name.endswith("[]") else _value(value)
        for name, value in params.items()
        if value is not None
    }


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return ",".join(str(item) for item in items)
    return str(value)


def read(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The JSON object of a successful answer; {} for an empty one.

    Raises: the ``RedmineError`` that the status stands for.
    """
    if 200 <= status < 300:
        return _json_object(body)
    raise _error(status, headers, body)


def objects(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The issues, projects and the like of an answer: one, or a list of them."""
    for value in answer.values():
        if isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, dict))


def _json_object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        # To the standard library's, JSON that is too deep is a RecursionError.
        value = from_json(body)
    except ValueError:
        raise Unreadable from None
    if not isinstance(value, dict):
        raise Unreadable
    return value


def _error(status: int, headers: Mapping[str, str], body: bytes) -> RedmineError:
    match status:
        case 401:
            return Unauthorized()
        case 403:
            return Forbidden()
        case 404:
            return NotFound()
        case 409:
            return Conflict()
        case 400 | 422:
            return Invalid(_messages(body))
        case 429:
            return RateLimited(_seconds(headers.get("retry-after")))
        case _ if status >= 500:
            return ServerError(status, _seconds(headers.get("retry-after")))
        case _:
            # A redirect (to /login, or to https) means that this is not the API's address.
            return Unreadable()


def _messages(body: bytes) -> list[str]:
    try:
        errors = _json_object(body).get("errors")
    except Unreadable:
        return []
    return [str(message) for message in errors] if isinstance(errors, list) else []


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdecimal() else None
