"""The order of a list of issues."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from redmine_mcp_sandbox.seed import CustomField, Issue, Version
from redmine_mcp_sandbox.world import World


def by_release(version: Version | None) -> tuple[bool, str, str, int]:
    """The undated after the dated (app/models/version.rb, fields_for_order_statement)."""
    if version is None:
        return True, "", "", 0
    return version.due_date is None, version.due_date or "", version.name, version.id


COLUMNS: dict[str, Callable[[World, Issue], Any]] = {
    "id": lambda _, i: i.id,
    "project": lambda w, i: w.projects[i.project_id].name,
    "tracker": lambda _, i: i.tracker_id,
    "status": lambda _, i: i.status_id,
    "priority": lambda _, i: i.priority_id,
    "subject": lambda _, i: i.subject,
    "author": lambda w, i: w.users[i.author_id].name,
    "assigned_to": lambda w, i: i.assigned_to_id and w.principal(i.assigned_to_id).name,
    "category": lambda w, i: i.category_id and w.categories[i.category_id].name,
    "fixed_version": lambda w, i: by_release(w.versions.get(i.fixed_version_id or 0)),
    "created_on": lambda _, i: i.created_on,
    "updated_on": lambda _, i: i.updated_on,
    "closed_on": lambda _, i: i.closed_on,
    "start_date": lambda _, i: i.start_date,
    "due_date": lambda _, i: i.due_date,
    "estimated_hours": lambda _, i: i.estimated_hours,
    "done_ratio": lambda _, i: i.done_ratio,
    "spent_hours": lambda w, i: w.spent_hours(i),
}


def ordered(world: World, sort: str, issues: Iterable[Issue]) -> list[Issue]:
    """Sort by ``priority:desc,updated_on``; by default, and among equals, the highest id first."""
    found = sorted(issues, key=lambda issue: issue.id, reverse=True)
    columns = {**COLUMNS, **_custom_columns(world)}
    for part in reversed(sort.split(",")):
        name, _, direction = part.strip().partition(":")
        if name in columns:
            found.sort(key=_key(world, columns[name]), reverse=direction == "desc")
    return found


def _custom_columns(world: World) -> dict[str, Callable[[World, Issue], Any]]:
    """``cf_1``: numbers sort as numbers, all else as text; no value sorts as an empty one."""

    def column(field: CustomField) -> Callable[[World, Issue], Any]:
        is_number = field.field_format in ("int", "float")

        def value_of(_: World, issue: Issue) -> Any:
            value = issue.custom_values.get(str(field.id)) or ""
            if not is_number or not isinstance(value, str):
                return value
            return float(value) if value else None

        return value_of

    fields = (one for one in world.custom_fields.values() if not one.multiple)
    return {f"cf_{one.id}": column(one) for one in fields}


def _key(
    world: World, column: Callable[[World, Issue], Any]
) -> Callable[[Issue], tuple[bool, Any]]:
    """SQLite's order: nothing comes before something."""

    def key(issue: Issue) -> tuple[bool, Any]:
        value = column(world, issue)
        return value is not None, 0 if value is None else value

    return key
