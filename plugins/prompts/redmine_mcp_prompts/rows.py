"""What Redmine knows, as rows: one line each, names and no ids but issue numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from redmine_mcp_core import Redmine, line, visible
from redmine_mcp_prompts.briefing import excerpt

SUBJECT_BYTES = 300
NOTE_BYTES = 1_000

_LABELS = {
    "assigned_to_id": "Assignee",
    "category_id": "Category",
    "fixed_version_id": "Version",
    "parent_id": "Parent",
    "child_id": "Subtask",
    "priority_id": "Priority",
    "tracker_id": "Tracker",
    "done_ratio": "% done",
}
_TOLD = frozenset({"subject", "done_ratio", "due_date", "start_date"})
"""Attributes whose values say something as they are."""

Names = Mapping[int, str]


def name_of(item: Mapping[str, Any], attribute: str) -> str:
    return line((item.get(attribute) or {}).get("name"))


def issue_row(issue: Mapping[str, Any], *, home: Mapping[str, Any] | None = None) -> str:
    """``#12 Bug, New, High, Alice Ace, due 2026-02-10: subject``.

    The project is named unless it is ``home``.
    """
    project = issue["project"]
    due = issue.get("due_date")
    parts = [
        name_of(issue, "tracker"),
        name_of(issue, "status"),
        name_of(issue, "priority"),
        name_of(issue, "assigned_to") or "unassigned",
        f"due {due}" if due else "",
        "" if home and project["id"] == home["id"] else f"in {line(project['name'])}",
        "private" if issue.get("is_private") else "",
    ]
    subject = excerpt(line(issue["subject"]), SUBJECT_BYTES)
    return f"#{issue['id']} {', '.join(filter(None, parts))}: {subject}"


def with_text(row: str, text: str | None, most: int) -> str:
    """The row, and under it the beginning of a text, on one line within ``most`` bytes."""
    beginning = excerpt(line(text), most)
    return f"{row}\n  {beginning}" if beginning else row


def journal_rows(
    journals: Sequence[Mapping[str, Any]], statuses: Names, people: Names
) -> Iterator[str]:
    """Comments and changes, in the order given."""
    for journal in journals:
        told = [_change(detail, statuses, people) for detail in journal["details"]]
        changes = "; ".join(dict.fromkeys(told))
        private = " [private]" if journal.get("private_notes") else ""
        head = f"{minute(journal['created_on'])} {name_of(journal, 'user')}{private}"
        notes = excerpt(visible(journal.get("notes") or "").strip(), NOTE_BYTES)
        yield "\n".join(filter(None, [f"{head}: {changes}" if changes else head, notes]))


async def statuses_in(redmine: Redmine, journals: Sequence[Mapping[str, Any]]) -> Names:
    """The names of the statuses, where a change names one."""
    if any(detail["name"] == "status_id" for one in journals for detail in one["details"]):
        return await redmine.names("issue_statuses")
    return {}


def people_in(issue: Mapping[str, Any]) -> Names:
    """Those who have to do with an issue; their names are asked for nowhere else."""
    named = [issue.get("author"), issue.get("assigned_to")]
    named += [journal.get("user") for journal in issue.get("journals", ())]
    return {person["id"]: line(person["name"]) for person in named if person}


def minute(timestamp: str) -> str:
    """``2026-02-01T10:40:00Z`` as ``2026-02-01 10:40`` (Redmine's API speaks UTC)."""
    return timestamp[:16].replace("T", " ")


def _change(detail: Mapping[str, Any], statuses: Names, people: Names) -> str:
    name, old, new = detail["name"], detail.get("old_value"), detail.get("new_value")
    match detail["property"], name:
        case "attr", "status_id":
            return f"Status {_known(statuses, old)} → {_known(statuses, new)}"
        case "attr", "assigned_to_id":
            return f"Assignee {_known(people, old)} → {_known(people, new)}"
        case "attr", _ if name in _TOLD:
            told = f"{line(old) or 'none'} → {line(new) or 'none'}"
            return f"{_LABELS.get(name, name.replace('_', ' ').capitalize())} {told}"
        case "attr", _:
            return f"{_LABELS.get(name, line(name).replace('_', ' ').capitalize())} changed"
        case "attachment", _:
            return f"File {line(new or old)} {'added' if new else 'removed'}"
        case "relation", _:
            return f"Relation to #{line(new or old)} {'added' if new else 'removed'}"
        case _:
            return "Custom field changed"


def _known(names: Names, value: str | None) -> str:
    if not value:
        return "none"
    return line(names.get(int(value))) if value.isdecimal() and int(value) in names else "?"
