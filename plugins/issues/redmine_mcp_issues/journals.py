"""An issue's journals: its comments and what was changed, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from redmine_mcp_core import BadArgument, Redmine, RedmineError, cut_text, line, readable

Part = Literal["comments", "changes", "edits"]
"""``edits`` are the changes without those that an overview tells by listing what they added."""

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
_OF_PROJECT: dict[str, Literal["members", "issue_categories", "versions"]] = {
    "assigned_to_id": "members",
    "category_id": "issue_categories",
    "fixed_version_id": "versions",
}
_OF_ISSUES = frozenset({"parent_id", "child_id"})

_PASSIVE = {"blocked": "blocked by", "duplicated": "duplicated by"}
"""Relations that Redmine names by one word (app/models/issue_relation.rb, TYPES)."""

_LONG = frozenset({"description"})
"""Attributes of which only that they changed is told."""

_ID = re.compile(r"[0-9]{1,10}")

Journal = Mapping[str, Any]
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

    def text(self, *, numbered: bool) -> str:
        number = f", comment {self.id}" if numbered and self.notes else ""
        private = " [private]" if self.private else ""
        head = f"{self.on[:16].replace('T', ' ')} {self.by}{number}{private}"
        changed = f": {'; '.join(self.changes)}" if self.changes else ""
        return f"{head}{changed}\n{self.notes}".rstrip()


def page_of(
    journals: Sequence[Journal], parts: frozenset[Part], *, most: int, before: int | None
) -> tuple[list[Journal], int, int]:
    """The newest journals with such parts, how many are older, and how many there are in all.

    ``before`` is the id of a journal, and only older ones count. Raises ``BadArgument``.
    """
    fitting = [journal for journal in journals if _has(journal, parts)]
    older = fitting
    if before is not None:
        places = [place for place, journal in enumerate(journals) if journal["id"] == before]
        if not places:
            raise BadArgument(f"This issue has no journal {before}.")
        known = {journal["id"] for journal in journals[: places[0]]}
        older = [journal for journal in fitting if journal["id"] in known]
    shown = list(reversed(older))[:most]
    return shown, len(older) - len(shown), len(fitting)


def _has(journal: Journal, parts: frozenset[Part]) -> bool:
    return ("comments" in parts and bool(journal.get("notes"))) or bool(_details(journal, parts))


def _details(journal: Journal, parts: frozenset[Part]) -> list[Mapping[str, Any]]:
    """The changes to tell."""
    details = list(journal.get("details", ()))
    if "changes" in parts:
        return details
    return [detail for detail in details if not _is_listed(detail)] if "edits" in parts else []


def _is_listed(detail: Mapping[str, Any]) -> bool:
    """Whether a change added a subtask, a relation or a file, which stand in lists of their own."""
    return bool(detail.get("new_value")) and (
        detail["property"] in {"relation", "attachment"} or detail["name"] == "child_id"
    )


def issues_in(journals: Sequence[Journal], parts: frozenset[Part]) -> set[int]:
    """The issues that became parent or subtask, or ceased to be."""
    return {
        int(value)
        for journal in journals
        for detail in _details(journal, parts)
        if detail["property"] == "attr" and detail["name"] in _OF_ISSUES
        for value in (detail.get("old_value"), detail.get("new_value"))
        if value and _ID.fullmatch(str(value))
    }


async def entries_from(
    issue: Mapping[str, Any],
    shown: Sequence[Journal],
    redmine: Redmine,
    *,
    parts: frozenset[Part],
    subjects: Mapping[int, str],
    note_characters: int | None,
) -> list[JournalEntry]:
    """Journals with the ids in their changes told as names, as far as they are known.

    ``subjects`` are those of the issues that are mentioned.
    """
    names = await _names(issue, shown, redmine, parts)
    numbers = {one: f"#{one} {subjects.get(one, '')}".rstrip() for one in issues_in(shown, parts)}
    names |= dict.fromkeys(_OF_ISSUES, numbers)
    return [_entry(journal, names, parts, note_characters) for journal in shown]


async def _names(
    issue: Mapping[str, Any],
    journals: Sequence[Journal],
    redmine: Redmine,
    parts: frozenset[Part],
) -> Names:
    """What these journals' ids mean. What is no part of the issue is asked once for many calls."""
    mentioned: dict[str, set[int]] = {}
    for journal in journals:
        for detail in _details(journal, parts):
            if detail["property"] == "attr":
                values = (str(detail.get(side) or "") for side in ("old_value", "new_value"))
                ids = {int(value) for value in values if _ID.fullmatch(value)}
                mentioned.setdefault(detail["name"], set()).update(ids)
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
    for attribute, kind_there in _OF_PROJECT.items():
        if mentioned.get(attribute, set()) - names[attribute].keys():
            known = await _names_there(redmine, kind_there, issue)
            names[attribute] = known | names[attribute]
    return names


async def _names_there(
    redmine: Redmine,
    kind: Literal["members", "issue_categories", "versions"],
    issue: Mapping[str, Any],
) -> dict[int, str]:
    """The names in the issue's project; none where the caller may not read them."""
    try:
        found = await redmine.names(kind, issue["project"]["id"])
    except RedmineError:
        return {}
    return {number: line(name) for number, name in found.items()}


def _by_id(things: Any) -> dict[int, str]:
    return {thing["id"]: line(thing["name"]) for thing in things if thing}


def _entry(
    journal: Journal, names: Names, parts: frozenset[Part], note_characters: int | None
) -> JournalEntry:
    notes = readable(journal.get("notes")) if "comments" in parts else ""
    shown, left_out = cut_text(notes, note_characters)
    return JournalEntry(
        id=journal["id"],
        by=line(journal.get("user", {}).get("name")),
        on=journal["created_on"],
        private=bool(journal.get("private_notes")),
        changes=tuple(_changes(_details(journal, parts), names)),
        notes=shown,
        left_out=left_out,
    )


def _changes(details: Sequence[Mapping[str, Any]], names: Names) -> Iterator[str]:
    for detail in details:
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
                verb = _PASSIVE.get(name, name.replace("_", " "))
                yield f"{verb} #{new}" if new else f"no longer {verb} #{old}"
            case _:
                yield _change(line(name), old, new, {})


def _change(label: str, old: Any, new: Any, names: dict[int, str]) -> str:
    return f"{label}: {_value(old, names)} → {_value(new, names)}"


def _value(value: Any, names: dict[int, str]) -> str:
    text = line(str(value)) if value not in (None, "") else "none"
    # The values of a text field are anybody's: no number is read that cannot be an id.
    return names.get(int(text), text) if names and _ID.fullmatch(text) else text
