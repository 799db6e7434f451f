"""What a tool that writes an issue was asked for, before anything is looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from redmine_mcp_core import Edit

Text = str | int


@dataclass(frozen=True, slots=True)
class Time:
    """Time to be logged with an update, by the caller."""

    hours: float
    activity: Text | None = None
    comment: str | None = None
    day: str | None = None
    """None for today, as Redmine has it in the caller's time zone."""


@dataclass(frozen=True, slots=True)
class Request:
    """The wishes of one call. What is None or empty is left as it is."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    """By the arguments of ``ATTRIBUTES``; "" empties one."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    watchers: tuple[Text, ...] = ()
    relations: tuple[Text, ...] = ()
    edits: tuple[Edit, ...] = ()
    notes: str = ""
    private_notes: bool = False
    time: Time | None = None

    @property
    def given(self) -> list[str]:
        """The names of the arguments that ask for something."""
        return list(self._given())

    def _given(self) -> Iterator[str]:
        yield from (name for name, value in self.attributes.items() if value is not None)
        gone = [str(text).strip().startswith("-") for text in self.watchers]
        asked = {
            "fields": self.fields,
            "replace": self.edits,
            "watchers": not all(gone),
            "-watchers": any(gone),
            "relations": self.relations,
            "notes": self.notes,
            "private_notes": self.notes and self.private_notes,
            "log_hours": self.time,
        }
        yield from (name for name, wanted in asked.items() if wanted)
