"""The filters of a list of issues: what MCP tools use of Redmine's IssueQuery.

Unknown filters are ignored, as in Redmine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from redmine_mcp_sandbox.rest.call import Call, invalid
from redmine_mcp_sandbox.rest.operators import DATE, ID, LIST, NUMBER, STATUS, TEXT, Kind
from redmine_mcp_sandbox.seed import CustomField, Issue
from redmine_mcp_sandbox.world import World


@dataclass(frozen=True, slots=True)
class Filter:
    label: str
    """The field's name in error messages."""
    value_of: Callable[[World, Issue], Any]
    kind: Kind


# In the order in which Redmine complains about them.
FILTERS = {
    "status_id": Filter("Status", lambda w, i: w.statuses[i.status_id], STATUS),
    "tracker_id": Filter("Tracker", lambda _, i: i.tracker_id, LIST),
    "priority_id": Filter("Priority", lambda _, i: i.priority_id, LIST),
    "author_id": Filter("Author", lambda _, i: i.author_id, LIST),
    "assigned_to_id": Filter("Assignee", lambda _, i: i.assigned_to_id, LIST),
    "fixed_version_id": Filter("Target version", lambda _, i: i.fixed_version_id, LIST),
    "category_id": Filter("Category", lambda _, i: i.category_id, LIST),
    "subject": Filter("Subject", lambda _, i: i.subject, TEXT),
    "description": Filter("Description", lambda _, i: i.description, TEXT),
    "created_on": Filter("Created", lambda _, i: i.created_on, DATE),
    "updated_on": Filter("Updated", lambda _, i: i.updated_on, DATE),
    "closed_on": Filter("Closed", lambda _, i: i.closed_on, DATE),
    "start_date": Filter("Start date", lambda _, i: i.start_date, DATE),
    "due_date": Filter("Due date", lambda _, i: i.due_date, DATE),
    "estimated_hours": Filter("Estimated time", lambda _, i: i.estimated_hours, NUMBER),
    "done_ratio": Filter("% Done", lambda _, i: i.done_ratio, NUMBER),
    "is_private": Filter("Private", lambda _, i: int(i.is_private), LIST),
    "parent_id": Filter("Parent task", lambda _, i: i.parent_id, ID),
    "issue_id": Filter("Issue", lambda _, i: i.id, ID),
}
KIND_OF_FORMAT = {"int": NUMBER, "float": NUMBER, "date": DATE, "string": TEXT, "text": TEXT}
ABOUT_USERS = ("author_id", "assigned_to_id")


def matching(call: Call, issues: Iterable[Issue], *, in_project: bool) -> list[Issue]:
    """The issues that pass every filter of the call; open ones, unless a status is asked for.

    Raises:
        HaltError: 422, a filter's value is missing or malformed.
    """
    expressions = {"status_id": "o"} | dict(call.query)
    found, complaints = list(issues), []
    for name, one in _available(call, in_project=in_project):
        if name not in expressions:
            continue
        operator, values = one.kind.parse(expressions[name])
        complaint = one.kind.complaint(operator, values)
        if complaint:
            complaints.append(f"{one.label} {complaint}")
            continue
        if name in ABOUT_USERS:
            values = [_me(call) if value == "me" else value for value in values]
        test = one.kind.tests[operator]
        found = [issue for issue in found if test(one.value_of(call.world, issue), values)]
    if complaints:
        invalid(complaints)
    return found


def _available(call: Call, *, in_project: bool) -> Iterator[tuple[str, Filter]]:
    """The filters that Redmine offers: categories belong to a project, privacy to a permission."""
    sets_privacy = any(
        call.viewer.allowed_anywhere(permission)
        for permission in ("set_issues_private", "set_own_issues_private")
    )
    for name, one in FILTERS.items():
        if (name != "category_id" or in_project) and (name != "is_private" or sets_privacy):
            yield name, one
    for field in call.world.seed.issue_custom_fields:
        kind = KIND_OF_FORMAT.get(field.field_format, LIST)
        yield f"cf_{field.id}", Filter(field.name, _custom_value(field, kind), kind)


def _custom_value(field: CustomField, kind: Kind) -> Callable[[World, Issue], Any]:
    def value_of(_: World, issue: Issue) -> Any:
        value = issue.custom_values.get(str(field.id))
        return float(value) if kind is NUMBER and isinstance(value, str) and value else value

    return value_of


def _me(call: Call) -> str:
    return str(call.viewer.user.id) if call.viewer.user else "0"
