"""What Redmine says about an issue that cannot be saved: ``Issue#validate``, in its own order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from redmine_mcp_sandbox.seed import Issue
from redmine_mcp_sandbox.writing import custom_values, scheduling, values
from redmine_mcp_sandbox.writing.draft import Draft

MAX_SUBJECT = 255
BLANK = "cannot be blank"
UNLISTED = "is not included in the list"


def complaints(draft: Draft) -> Iterator[str]:
    """Everything that is wrong with a draft; nothing, if it may be saved."""
    if draft.has_custom_values and draft.project is not None:
        given = draft.columns["custom_values"]
        yield from custom_values.complaints(draft.world, draft.project, given)
    yield from _presence(draft)
    yield from _formats(draft)
    yield from _dates(draft)
    yield from _references(draft)
    yield from _parent(draft)
    yield from _required(draft)


def _presence(draft: Draft) -> Iterator[str]:
    columns = draft.columns
    if values.blank(columns["subject"]):
        yield f"Subject {BLANK}"
    if draft.project is None:
        yield f"Project {BLANK}"
    if columns["tracker_id"] is None:
        yield f"Tracker {BLANK}"
    if draft.changed("priority_id") and columns["priority_id"] not in draft.world.priorities:
        yield f"Priority {BLANK}"
    if columns["status_id"] is None:
        yield f"Status {BLANK}"


def _formats(draft: Draft) -> Iterator[str]:
    columns = draft.columns
    if len(columns["subject"] or "") > MAX_SUBJECT:
        yield f"Subject is too long (maximum is {MAX_SUBJECT} characters)"
    if columns["done_ratio"] is None or not 0 <= columns["done_ratio"] <= 100:
        yield f"% Done {UNLISTED}"
    estimate = columns["estimated_hours"]
    if estimate is values.UNREADABLE or (estimate or 0) < 0:
        yield "Estimated time is invalid"
    for name, label in (("start_date", "Start date"), ("due_date", "Due date")):
        if columns[name] is values.UNREADABLE:
            yield f"{label} is not a valid date"


def _dates(draft: Draft) -> Iterator[str]:
    start, due = _day(draft.columns["start_date"]), _day(draft.columns["due_date"])
    if start and due and due < start and draft.changed("start_date", "due_date"):
        yield "Due date must be greater than start date"
    if start and draft.before is not None and draft.changed("start_date"):
        soonest = scheduling.soonest_start(draft.world, draft.before)
        if soonest and start < soonest:
            yield (
                f"Start date cannot be earlier than {soonest:%m/%d/%Y} because of preceding issues"
            )


def _references(draft: Draft) -> Iterator[str]:
    columns, world = draft.columns, draft.world
    if draft.project is None:
        return
    version = world.versions.get(columns["fixed_version_id"] or 0)
    if columns["fixed_version_id"] is not None:
        if version is None or version not in draft.assignable_versions():
            yield f"Target version {UNLISTED}"
        elif version.status == "closed" and _reopens(draft):
            yield "An issue assigned to a closed version cannot be reopened"
    category = world.categories.get(columns["category_id"] or 0)
    if columns["category_id"] is not None and (
        category is None or category.project_id != draft.project.id
    ):
        yield f"Category {UNLISTED}"
    trackers = {None, *draft.project.tracker_ids}
    if draft.changed("tracker_id", "project_id") and columns["tracker_id"] not in trackers:
        yield f"Tracker {UNLISTED}"
    assignees = {None, *draft.assignable_ids()}
    if draft.changed("assigned_to_id") and columns["assigned_to_id"] not in assignees:
        yield "Assignee is invalid"


def _reopens(draft: Draft) -> bool:
    if draft.before is None or not draft.world.is_closed(draft.before):
        return False
    return not draft.world.statuses[draft.columns["status_id"]].is_closed


def _parent(draft: Draft) -> Iterator[str]:
    world, before = draft.world, draft.before
    if draft.invalid_parent:
        yield "Parent task is invalid"
        return
    parent = world.issues.get(draft.columns["parent_id"] or 0)
    if parent is None or not draft.changed("parent_id"):
        return
    goes_round = before is not None and _would_go_round(draft, before, parent)
    if goes_round or not draft.accepts_parent(parent):
        yield "Parent task is invalid"
    elif world.is_closed(parent) and not world.statuses[draft.columns["status_id"]].is_closed:
        yield "An open issue cannot be attached to a closed parent task"


LABELS = {
    "assigned_to_id": "Assignee",
    "category_id": "Category",
    "description": "Description",
    "due_date": "Due date",
    "estimated_hours": "Estimated time",
    "fixed_version_id": "Target version",
    "parent_issue_id": "Parent task",
    "start_date": "Start date",
}
"""Of the fields that can be blank."""


def _required(draft: Draft) -> Iterator[str]:
    """What the workflow wants to be filled in (``Issue#validate_required_fields``)."""
    columns, world = draft.columns, draft.world
    for name, rule in draft.field_rules.items():
        if rule != "required":
            continue
        if name.isdecimal():
            value = columns["custom_values"].get(name)
            if not any(value if isinstance(value, list) else [value]):
                yield f"{world.custom_fields[int(name)].name} {BLANK}"
        elif name in LABELS and values.blank(columns[_column_of(name)]):
            yield f"{LABELS[name]} {BLANK}"


def _column_of(attribute: str) -> str:
    return "parent_id" if attribute == "parent_issue_id" else attribute


def _would_go_round(draft: Draft, issue: Issue, parent: Issue) -> bool:
    family = {issue.id, *(one.id for one in draft.world.descendants(issue))}
    return parent.id in family or scheduling.would_reschedule(draft.world, issue, parent)


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else None
