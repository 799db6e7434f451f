"""What one may want to know of an issue, and what Redmine has to be asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from redmine_mcp_issues.journals import Part

Focus = Literal["overview", "discussion", "history", "relations", "everything"]
Include = Literal[
    "journals",
    "children",
    "relations",
    "attachments",
    "watchers",
    "changesets",
    "allowed_statuses",
]


@dataclass(frozen=True, slots=True)
class View:
    """A choice of what to read and to show. Lengths are characters."""

    include: frozenset[Include]
    fields: bool = True
    """Whether people, dates, hours and custom fields are told."""
    linked: bool = False
    """Whether linked issues are told with subject and status, which takes one more question."""
    description: int = 2_000
    parts: frozenset[Part] = frozenset()
    """What journals are told, and what of them."""
    journals: int = 0
    """How many, unless the caller says so."""
    notes: int = 1_000
    numbered: bool = False
    """Whether comments are told with the ids by which they are edited."""


VIEWS: Mapping[Focus, View] = {
    "overview": View(
        include=frozenset({"journals", "children", "relations", "attachments"}),
        parts=frozenset({"comments", "edits"}),
        journals=25,
        notes=500,
    ),
    "discussion": View(
        include=frozenset({"journals"}),
        fields=False,
        parts=frozenset({"comments"}),
        journals=25,
        numbered=True,
    ),
    "history": View(
        include=frozenset({"journals"}),
        fields=False,
        description=0,
        parts=frozenset({"changes"}),
        journals=25,
    ),
    "relations": View(
        include=frozenset({"children", "relations", "attachments", "changesets", "watchers"}),
        fields=False,
        linked=True,
        description=0,
    ),
    "everything": View(
        include=frozenset(
            {
                "journals",
                "children",
                "relations",
                "attachments",
                "watchers",
                "changesets",
                "allowed_statuses",
            }
        ),
        linked=True,
        parts=frozenset({"comments", "changes"}),
        journals=25,
        numbered=True,
    ),
}
