"""What a tool call was about, by kind and id: for the audit trail, which holds no text.

A result names it (``issue_id``, ``attachment_id``, or ``id`` of what the tool is named after, or a
list of such); where there is none, as of a call that failed, the arguments do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST_OBJECTS = 100
"""More than any bulk tool takes at once."""


def objects_of(
    tool: str, arguments: Mapping[str, Any], data: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Such as ``("issue 5", "attachment 7")``, each once."""
    named = dict.fromkeys([*_named(tool, data or {}), *_named(tool, arguments)])
    return tuple(named)[:MOST_OBJECTS]


def _named(tool: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        kind = tool.rpartition("_")[2] if name == "id" else name.removesuffix("_id")
        if kind != name and _is_id(value):
            yield f"{kind} {value}"
        elif isinstance(value, list | tuple):
            yield from _listed(name.removesuffix("_ids").removesuffix("s"), value)


def _listed(kind: str, values: list[Any] | tuple[Any, ...]) -> Iterator[str]:
    for value in values:
        number = value.get("id") if isinstance(value, Mapping) else value
        if _is_id(number):
            yield f"{kind} {number}"


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
