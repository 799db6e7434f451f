"""An issue's attributes, once: what a tool calls them, how Redmine takes them and shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from redmine_mcp_core import line

SHOWN_CHARACTERS = 80
"""Of longer values only that they changed is told."""

Reference = Literal[
    "issue_categories",
    "issue_priorities",
    "issue_statuses",
    "members",
    "trackers",
    "versions",
]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A standard attribute of an issue."""

    argument: str
    label: str
    key: str
    """In the body of a write (app/models/issue.rb, ``safe_attributes``)."""
    shown: str
    """In the JSON of a read (app/views/issues/show.api.rsb)."""
    names: Reference | None = None
    """The list of names that it is chosen from."""
    long: bool = False

    @property
    def of_project(self) -> bool:
        """Whether every project has a list of its own."""
        return self.names in {"issue_categories", "members", "versions"}


ATTRIBUTES: Mapping[str, Attribute] = {
    attribute.argument: attribute
    for attribute in (
        Attribute("project", "Project", "project_id", "project"),
        Attribute("tracker", "Tracker", "tracker_id", "tracker", "trackers"),
        Attribute("subject", "Subject", "subject", "subject"),
        Attribute("description", "Description", "description", "description", long=True),
        Attribute("status", "Status", "status_id", "status", "issue_statuses"),
        Attribute("priority", "Priority", "priority_id", "priority", "issue_priorities"),
        Attribute("assignee", "Assignee", "assigned_to_id", "assigned_to", "members"),
        Attribute("category", "Category", "category_id", "category", "issue_categories"),
        Attribute("version", "Version", "fixed_version_id", "fixed_version", "versions"),
        Attribute("parent", "Parent", "parent_issue_id", "parent"),
        Attribute("start_date", "Start date", "start_date", "start_date"),
        Attribute("due_date", "Due date", "due_date", "due_date"),
        Attribute("done_ratio", "% done", "done_ratio", "done_ratio"),
        Attribute("estimated_hours", "Estimated hours", "estimated_hours", "estimated_hours"),
        Attribute("private", "Private", "is_private", "is_private"),
    )
}

_SPENT = Attribute("", "Spent hours", "spent_hours", "spent_hours")


@dataclass(frozen=True, slots=True)
class Value:
    """What an issue holds, or is to hold, under one label."""

    label: str
    value: Any
    """Comparable: an id, a number, a text, a sorted tuple of texts; None for nothing."""
    text: str = ""
    """For a person; empty where it is too long to be told."""

    def __str__(self) -> str:
        return self.text or ("none" if self.value is None else "a long text")


def snapshot(issue: Mapping[str, Any]) -> dict[str, Value]:
    """What an issue holds: by key of ``ATTRIBUTES``, and by ``cf_12`` for custom fields."""
    held = {item.key: _read(issue, item) for item in (*ATTRIBUTES.values(), _SPENT)}
    held |= {key: value_of(name, value) for key, name, value in _custom_fields(issue)}
    return held


def value_of(label: str, value: Any, *, long: bool = False) -> Value:
    """A value as it compares; text with Redmine's own ends of line is the same as with ours."""
    if isinstance(value, list | tuple):
        kept = tuple(sorted(str(item) for item in value if str(item))) or None
        return Value(label, kept, ", ".join(map(line, kept or ())))
    if isinstance(value, str):
        value = value.replace("\r\n", "\n").strip() or None
    if isinstance(value, bool):
        return Value(label, value, "yes" if value else "no")
    if isinstance(value, float):
        value = round(value, 2)
    text = "" if value is None else line(f"{value:g}" if isinstance(value, float) else str(value))
    return Value(label, value, "" if long or len(text) > SHOWN_CHARACTERS else text)


def _read(issue: Mapping[str, Any], attribute: Attribute) -> Value:
    held = issue.get(attribute.shown)
    if isinstance(held, dict):  # a parent has an id alone
        name = line(held["name"]) if "name" in held else f"#{held['id']}"
        return Value(attribute.label, held["id"], name)
    return value_of(attribute.label, held, long=attribute.long)


def _custom_fields(issue: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for field in issue.get("custom_fields", ()):
        yield f"cf_{field['id']}", line(field["name"]), field.get("value")
