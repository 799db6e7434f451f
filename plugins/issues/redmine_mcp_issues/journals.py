"""An issue's journals: its comments and what was changed, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel

from redmine_mcp_core import Redmine, line, shorten, visible

NOTE_CHARACTERS = 1_000
"""How much of a comment is shown unless all of it is asked for."""

_LABELS = {
    "assigned_to_id": "Assignee",
    "category_id": "Category",
    "fixed_version_id": "Version",
    "parent_id": "Parent",
    "child_id": "Subtask",
    "done_ratio": "% done",
    "estimated_hours": "Estimated hours",
    "is_private": "Private",
}

_REFERENCES: dict[str, Literal["issue_statuses", "issue_priorities", "trackers"]] = {
    "status_id": "issue_statuses",
    "priority_id": "issue_priorities",
    "tracker_id": "trackers",
}

_LONG = frozenset({"description"})
"""Attributes of which only that they changed is told."""

_ID = re.compile(r"[0-9]{1,10}")

Names = dict[str, dict[int, str]]


class JournalEntry(BaseModel):
    """A comment, a change of attributes, or both at once."""

    id: int
    by: str
    on: str
    private: bool = False
    changes: tuple[str, ...] = ()
    notes: str = ""
    left_out: int = 0
    """Characters of the notes that were left out."""

    def text(self) -> str:
        private = " [private]" if self.private else ""
        head = f"{self.on[:16].replace('T', ' ')} {self.by}{private}"
        changed = f": {'; '.join(self.changes)}" if self.changes else ""
        return f"{head}{changed}\n{self.notes}".rstrip()


async def journals_from(
    issue: dict[str, Any], redmine: Redmine, *, limit: int, full_text: bool
) -> list[JournalEntry]:
    """The newest ``limit`` journals of an issue, ids in their changes told as names."""
    newest = list(reversed(issue.get("journals", ())))[:limit]
    names = await _names(issue, newest, redmine)
    return [_entry(journal, names, full_text=full_text) for journal in newest]


async def _names(issue: dict[str, Any], journals: list[dict[str, Any]], redmine: Redmine) -> Names:
    """The names of the ids that these journals mention, as far as they are to be had cheaply.

    Reference data is shared by all callers; people and versions are those of the issue itself.
    """
    mentioned = {
        detail["name"]
        for journal in journals
        for detail in journal.get("details", ())
        if detail["property"] == "attr"
    }
    people = [issue.get("author"), issue.get("assigned_to"), *issue.get("watchers", ())]
    people += [journal.get("user") for journal in issue.get("journals", ())]
    names: Names = {
        "assigned_to_id": _by_id(people),
        "category_id": _by_id([issue.get("category")]),
        "fixed_version_id": _by_id([issue.get("fixed_version")]),
        "cf": _by_id(issue.get("custom_fields", ())),
    }
    for attribute, kind in _REFERENCES.items():
        if attribute in mentioned:
            names[attribute] = await redmine.names(kind)
    return names


def _by_id(things: Any) -> dict[int, str]:
    return {thing["id"]: line(thing["name"]) for thing in things if thing}


def _entry(journal: dict[str, Any], names: Names, *, full_text: bool) -> JournalEntry:
    notes = visible(journal.get("notes") or "").strip()
    shown, left_out = shorten(notes, len(notes) if full_text else NOTE_CHARACTERS)
    return JournalEntry(
        id=journal["id"],
        by=line(journal.get("user", {}).get("name")),
        on=journal["created_on"],
        private=bool(journal.get("private_notes")),
        changes=tuple(_changes(journal, names)),
        notes=shown,
        left_out=left_out,
    )


def _changes(journal: dict[str, Any], names: Names) -> Iterator[str]:
    for detail in journal.get("details", ()):
        kind, name = detail["property"], str(detail["name"])
        old, new = detail.get("old_value"), detail.get("new_value")
        match kind:
            case "attr" if name in _LONG:
                yield f"{name.capitalize()} changed"
            case "attr":
                label = _LABELS.get(name, name.removesuffix("_id").replace("_", " ").capitalize())
                yield _change(label, old, new, names.get(name, {}))
            case "cf":
                label = names["cf"].get(int(name), f"Custom field {name}")
                yield _change(label, old, new, {})
            case "attachment":
                yield f"attached {line(new)}" if new else f"removed file {line(old)}"
            case "relation":
                verb = name.replace("_", " ")
                yield f"{verb} #{new}" if new else f"no longer {verb} #{old}"
            case _:
                yield _change(line(name), old, new, {})


def _change(label: str, old: Any, new: Any, names: dict[int, str]) -> str:
    return f"{label}: {_value(old, names)} → {_value(new, names)}"


def _value(value: Any, names: dict[int, str]) -> str:
    text = line(str(value)) if value not in (None, "") else "none"
    # The values of a text field are anybody's: no number is read that cannot be an id.
    return names.get(int(text), text) if names and _ID.fullmatch(text) else text
