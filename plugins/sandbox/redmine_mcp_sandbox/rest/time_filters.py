"""The filters and the order of a list of time entries (Redmine's TimeEntryQuery)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from redmine_mcp_sandbox.rest.call import Call
from redmine_mcp_sandbox.rest.operators import LIST, NUMBER, OPTIONAL, PAST_DATE, TEXT, TREE
from redmine_mcp_sandbox.rest.order import COLUMNS as ISSUE_COLUMNS
from redmine_mcp_sandbox.rest.order import by_release
from redmine_mcp_sandbox.rest.querying import Filter, Wishes, select, wishes_of
from redmine_mcp_sandbox.roles import ROLES
from redmine_mcp_sandbox.seed import CustomField, Issue, TimeEntry
from redmine_mcp_sandbox.writing import values


def _issue_line(call: Call, entry: TimeEntry) -> tuple[list[int], list[int]]:
    issue = call.world.issues.get(entry.issue_id or 0)
    if issue is None:
        return [], []
    return [issue.id], [issue.id, *(one.id for one in call.world.ancestors(issue))]


def _visible_issue(call: Call, entry: TimeEntry) -> Issue | None:
    """Redmine joins those issues alone that the viewer sees (``left_join_issue``)."""
    issue = call.world.issues.get(entry.issue_id or 0)
    return issue if issue and call.viewer.finds_issue(issue) else None


def _of_issue(column: str) -> Callable[[Call, TimeEntry], Any]:
    def value_of(call: Call, entry: TimeEntry) -> Any:
        issue = _visible_issue(call, entry)
        return issue and getattr(issue, column)

    return value_of


def _custom_value(field: CustomField) -> Callable[[Call, TimeEntry], Any]:
    return lambda _, entry: entry.custom_values.get(str(field.id))


def _issue_column(name: str, nothing: Any = None) -> Callable[[Call, TimeEntry], Any]:
    """The issue's own order; entries without an issue, or without that of it, come first."""

    def value_of(call: Call, entry: TimeEntry) -> Any:
        issue = _visible_issue(call, entry)
        value = ISSUE_COLUMNS[name](call.world, issue) if issue else nothing
        return value is not None, value or 0

    return value_of


def _version(call: Call, entry: TimeEntry) -> int | None:
    """By the issue's number, so that hidden issues count; of what has none nothing is said."""
    issue = call.world.issues.get(entry.issue_id or 0)
    return (issue.fixed_version_id or 0) if issue else None


def _parent_line(call: Call, entry: TimeEntry) -> tuple[list[int], list[int], list[int]]:
    """The parent, all issues above, and the parent again if the issue is visible."""
    _, line = _issue_line(call, entry)
    return line[1:2], line[1:], line[1:2] if _visible_issue(call, entry) else []


VERSION = replace(
    LIST,
    tests={
        **LIST.tests,
        "!": lambda value, wanted: value is not None and LIST.tests["!"](value, wanted),
    },
)
PARENT = replace(
    TREE,
    tests={
        **TREE.tests,
        "*": lambda line, _: bool(line[2]),
        "!*": lambda line, _: not line[2],
    },
)


def _groups(call: Call, entry: TimeEntry) -> list[int]:
    return call.world.group_ids(call.world.users[entry.user_id])


def _roles(call: Call, entry: TimeEntry) -> list[int]:
    members = call.world.memberships_of(call.world.projects[entry.project_id])
    names = [n for one in members if one.principal_id == entry.user_id for n in one.roles]
    return [ROLES[name].id for name in names]


def _project_status(call: Call, entry: TimeEntry) -> int:
    return call.world.projects[entry.project_id].status


FILTERS: Mapping[str, Filter] = {
    "spent_on": Filter("Date", lambda _, one: one.spent_on, PAST_DATE),
    "project_id": Filter("Project", lambda _, one: one.project_id, LIST),
    "issue_id": Filter("Issue", _issue_line, TREE),
    "issue.tracker_id": Filter("Issue's Tracker", _of_issue("tracker_id"), LIST),
    "issue.parent_id": Filter("Issue's Parent task", _parent_line, PARENT),
    "issue.status_id": Filter("Issue's Status", _of_issue("status_id"), LIST),
    "issue.fixed_version_id": Filter("Issue's Version", _version, VERSION),
    "issue.category_id": Filter("Issue's Category", _of_issue("category_id"), OPTIONAL),
    "issue.subject": Filter("Issue's Subject", _of_issue("subject"), TEXT),
    "user_id": Filter("User", lambda _, one: one.user_id, OPTIONAL, about_users=True),
    "user.group": Filter("User's Group", _groups, OPTIONAL),
    "user.role": Filter("User's Role", _roles, OPTIONAL),
    "project.status": Filter("Project's Status", _project_status, LIST),
    "author_id": Filter("Author", lambda _, one: one.author_id, OPTIONAL, about_users=True),
    "activity_id": Filter("Activity", lambda _, one: one.activity_id, LIST),
    "comments": Filter("Comment", lambda _, one: one.comments, TEXT),
    "hours": Filter("Hours", lambda _, one: one.hours, NUMBER),
}
# These exist within a project alone, or everywhere else.
_IN_PROJECT = frozenset({"issue.category_id"})
_BEYOND = frozenset({"project_id"})

COLUMNS: Mapping[str, Callable[[Call, TimeEntry], Any]] = {
    # Redmine keeps parts of a second that it does not show.
    "spent_on": lambda _, one: (one.spent_on, one.created_on, one.id),
    "created_on": lambda _, one: (one.created_on, one.id),
    "hours": lambda _, one: one.hours,
    "user": lambda call, one: call.world.users[one.user_id].name,
    "project": lambda call, one: call.world.projects[one.project_id].name,
    "activity": lambda _, one: one.activity_id,
    "issue": _issue_column("id"),
    "author": lambda call, one: call.world.users[one.author_id].name,
    "issue.tracker": _issue_column("tracker"),
    "issue.status": _issue_column("status"),
    "issue.category": _issue_column("category"),
    "issue.fixed_version": _issue_column("fixed_version", by_release(None)),
}


def matching(call: Call, entries: Iterable[TimeEntry], *, in_project: bool) -> list[TimeEntry]:
    """The entries that pass every filter of the call, in the order that it asks for."""
    hidden = _BEYOND if in_project else _IN_PROJECT
    filters = {name: one for name, one in FILTERS.items() if name not in hidden}
    for field in call.world.time_entry_fields.values():
        if field.is_filter:
            filters[f"cf_{field.id}"] = Filter(field.name, _custom_value(field), OPTIONAL)
    return _ordered(call, select(call, entries, filters, _wishes(call, filters)))


def _wishes(call: Call, filters: Mapping[str, Filter]) -> Wishes:
    """``from`` and ``to`` are other words for ``spent_on``; what is no date is left out."""
    wishes = dict(wishes_of(call, filters, {}))
    first, last = (values.day(call.query.get(name)) for name in ("from", "to"))
    match isinstance(first, str), isinstance(last, str):
        case True, True:
            wishes["spent_on"] = ("><", [str(first), str(last)])
        case True, False:
            wishes["spent_on"] = (">=", [str(first)])
        case False, True:
            wishes["spent_on"] = ("<=", [str(last)])
    return wishes


def _ordered(call: Call, entries: list[TimeEntry]) -> list[TimeEntry]:
    """Sort by ``hours:desc,user``; by default the latest first; among equals by id."""
    found = sorted(entries, key=lambda one: one.id)
    for part in reversed((call.query.get("sort") or "spent_on:desc").split(",")):
        name, _, direction = part.strip().partition(":")
        if name in COLUMNS:
            found.sort(key=partial(COLUMNS[name], call), reverse=direction == "desc")
    return found
