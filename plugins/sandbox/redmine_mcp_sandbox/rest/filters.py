"""The filters and the order of a list of issues: what MCP tools use of Redmine's IssueQuery.

A value carries its operator in front: ``status_id=!5``, ``subject=~login mail``,
``updated_on=>=2026-02-01``, ``due_date=><2026-02-01|2026-03-01``; several values are joined by
``|``. Unknown filters are ignored, as in Redmine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.seed import Issue
from redmine_mcp_sandbox.world import World

Test = Callable[[Any, list[str]], bool]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _is_one_of(value: Any, wanted: list[str]) -> bool:
    return _text(value) in wanted


def _contains(value: Any, wanted: list[str]) -> bool:
    text = _text(value).lower()
    return all(word in text for word in " ".join(wanted).lower().split())


ANY: dict[str, Test] = {
    "!*": lambda value, _: value in (None, "", []),
    "*": lambda value, _: value not in (None, "", []),
}
LIST: dict[str, Test] = ANY | {
    "!": lambda value, wanted: not _is_one_of(value, wanted),
    "=": _is_one_of,
}
TEXT: dict[str, Test] = ANY | {
    "!~": lambda value, wanted: not _contains(value, wanted),
    "*~": lambda value, wanted: any(_contains(value, [w]) for w in " ".join(wanted).split()),
    "~": _contains,
    "^": lambda value, wanted: _text(value).lower().startswith(wanted[0].lower()),
    "$": lambda value, wanted: _text(value).lower().endswith(wanted[0].lower()),
    "=": _is_one_of,
}
NUMBER: dict[str, Test] = ANY | {
    "><": lambda v, wanted: v is not None and float(wanted[0]) <= v <= float(wanted[1]),
    ">=": lambda v, wanted: v is not None and v >= float(wanted[0]),
    "<=": lambda v, wanted: v is not None and v <= float(wanted[0]),
    "=": lambda v, wanted: v is not None and v in map(float, wanted),
}
# Both sides as text: an ISO date sorts like a date, and a day is the start of its times.
DATE: dict[str, Test] = ANY | {
    "><": lambda v, wanted: v is not None and wanted[0] <= v[: len(wanted[0])] <= wanted[1],
    ">=": lambda v, wanted: v is not None and v[: len(wanted[0])] >= wanted[0],
    "<=": lambda v, wanted: v is not None and v[: len(wanted[0])] <= wanted[0],
    "=": lambda v, wanted: v is not None and v[: len(wanted[0])] == wanted[0],
}

FIELDS: Mapping[str, tuple[Callable[[Issue], Any], Mapping[str, Test]]] = {
    "tracker_id": (lambda i: i.tracker_id, LIST),
    "priority_id": (lambda i: i.priority_id, LIST),
    "author_id": (lambda i: i.author_id, LIST),
    "assigned_to_id": (lambda i: i.assigned_to_id, LIST),
    "category_id": (lambda i: i.category_id, LIST),
    "fixed_version_id": (lambda i: i.fixed_version_id, LIST),
    "parent_id": (lambda i: i.parent_id, LIST),
    "is_private": (lambda i: int(i.is_private), LIST),
    "subject": (lambda i: i.subject, TEXT),
    "description": (lambda i: i.description, TEXT),
    "done_ratio": (lambda i: i.done_ratio, NUMBER),
    "estimated_hours": (lambda i: i.estimated_hours, NUMBER),
    "created_on": (lambda i: i.created_on, DATE),
    "updated_on": (lambda i: i.updated_on, DATE),
    "closed_on": (lambda i: i.closed_on, DATE),
    "start_date": (lambda i: i.start_date, DATE),
    "due_date": (lambda i: i.due_date, DATE),
}
USER_FIELDS = ("author_id", "assigned_to_id")


def matching(viewer: Viewer, query: Mapping[str, str], issues: Iterable[Issue]) -> list[Issue]:
    """The issues that pass every filter of a query; open ones, unless a status is asked for."""
    world = viewer.world
    found = [issue for issue in issues if _status(world, query.get("status_id", "open"), issue)]
    if query.get("issue_id"):
        ids = {int(part) for part in query["issue_id"].replace("|", ",").split(",") if part}
        found = [issue for issue in found if issue.id in ids]
    for name, (value_of, operators) in FIELDS.items():
        if name in query:
            test, wanted = _parse(query[name], operators)
            if name in USER_FIELDS:
                wanted = [_me(viewer) if value == "me" else value for value in wanted]
            found = [issue for issue in found if test(value_of(issue), wanted)]
    for name in query:
        if name.startswith("cf_"):
            test, wanted = _parse(query[name], LIST)
            found = [i for i in found if _any_value(i.custom_values.get(name[3:]), test, wanted)]
    return found


def ordered(world: World, sort: str, issues: Iterable[Issue]) -> list[Issue]:
    """Sort by ``sort=priority:desc,updated_on``; the newest first by default and among equals."""
    columns: dict[str, Callable[[Issue], Any]] = {
        "id": lambda i: i.id,
        "project": lambda i: world.projects[i.project_id].name,
        "tracker": lambda i: i.tracker_id,
        "status": lambda i: i.status_id,
        "priority": lambda i: i.priority_id,
        "subject": lambda i: i.subject,
        "author": lambda i: world.users[i.author_id].name,
        "assigned_to": lambda i: i.assigned_to_id and world.principal(i.assigned_to_id).name,
        "updated_on": lambda i: i.updated_on,
        "created_on": lambda i: i.created_on,
        "closed_on": lambda i: i.closed_on,
        "start_date": lambda i: i.start_date,
        "due_date": lambda i: i.due_date,
        "estimated_hours": lambda i: i.estimated_hours,
        "done_ratio": lambda i: i.done_ratio,
        "category": lambda i: i.category_id and world.categories[i.category_id].name,
        "fixed_version": lambda i: i.fixed_version_id and world.versions[i.fixed_version_id].name,
    }
    found = sorted(issues, key=lambda issue: issue.id, reverse=True)
    for part in reversed(sort.split(",")):
        name, _, direction = part.strip().partition(":")
        if name in columns:
            found.sort(key=_nulls_first(columns[name]), reverse=direction == "desc")
    return found


def _nulls_first(value_of: Callable[[Issue], Any]) -> Callable[[Issue], tuple[bool, Any]]:
    def key(issue: Issue) -> tuple[bool, Any]:
        value = value_of(issue)
        return value is not None, value if value is not None else 0

    return key


def _parse(expression: str, operators: Mapping[str, Test]) -> tuple[Test, list[str]]:
    # Longer operators first: "!*" is not "!" with the value "*".
    for operator in sorted(operators, key=len, reverse=True):
        if operator != "=" and expression.startswith(operator):
            return operators[operator], expression.removeprefix(operator).split("|")
    return operators["="], expression.removeprefix("=").split("|")


def _any_value(value: str | list[str] | None, test: Test, wanted: list[str]) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(test(one, wanted) for one in values)


def _status(world: World, wanted: str, issue: Issue) -> bool:
    # "open" and "closed" are read by their first letter, which is the operator.
    if wanted.startswith("*"):
        return True
    if wanted.startswith(("o", "c")):
        return world.is_closed(issue) == wanted.startswith("c")
    test, values = _parse(wanted, LIST)
    return test(issue.status_id, values)


def _me(viewer: Viewer) -> str:
    return str(viewer.user.id) if viewer.user else "0"
