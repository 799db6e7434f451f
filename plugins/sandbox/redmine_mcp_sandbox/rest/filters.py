"""The filters of a list of issues (Redmine's IssueQuery)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from redmine_mcp_sandbox.rest.call import Call, invalid
from redmine_mcp_sandbox.rest.operators import (
    AMOUNT,
    DATE,
    ID,
    LIST,
    NUMBER,
    OPTIONAL,
    PAST_DATE,
    SEARCH,
    STATUS,
    STRING,
    TEXT,
    TREE,
    Kind,
)
from redmine_mcp_sandbox.rest.querying import Filter, Wishes, complaints, select, wishes_of
from redmine_mcp_sandbox.seed import CustomField, Issue, Journal
from redmine_mcp_sandbox.world import RELATION_TYPES
from redmine_mcp_sandbox.writing.relating import OTHER_END

OPEN: Wishes = {"status_id": ("o", [""])}


def matching(
    call: Call, issues: Iterable[Issue], *, in_project: bool, wishes: Wishes | None = None
) -> list[Issue]:
    """The issues that pass every filter of the call; open ones, unless a status is asked for.

    Args:
        in_project: The list is a project's: only then there are its categories.
        wishes: The filters of a saved query, which count instead of the call's.

    Raises:
        HaltError: 422, a filter's value is missing or malformed.
    """
    filters = _available(call, in_project=in_project)
    if wishes is None:
        wishes = wishes_of(call, filters, OPEN)
    if wrong := complaints(filters, wishes):
        invalid(wrong)
    return select(call, issues, filters, wishes)


def _column(name: str) -> Callable[[Call, Issue], Any]:
    return lambda _, issue: getattr(issue, name)


def _visible_journals(call: Call, issue: Issue) -> list[Journal]:
    sees = call.viewer.finds_private_notes(call.world.projects[issue.project_id])
    return [
        journal
        for journal in call.world.journals_of(issue)
        if sees or not journal.private_notes or call.viewer.is_me(journal.user_id)
    ]


def _notes(call: Call, issue: Issue) -> str:
    return "\n".join(journal.notes or "" for journal in _visible_journals(call, issue))


def _searchable(call: Call, issue: Issue) -> str:
    custom = [
        str(value)
        for field_id, value in issue.custom_values.items()
        if call.world.custom_fields[int(field_id)].searchable and value
    ]
    return "\n".join((issue.subject, issue.description or "", *custom, _notes(call, issue)))


def _watchers(call: Call, issue: Issue) -> list[int]:
    """Everybody who watches, or only the viewer and their groups."""
    if call.viewer.finds("view_issue_watchers", call.world.projects[issue.project_id]):
        watchers = list(issue.watcher_ids)
    else:
        watchers = [one for one in issue.watcher_ids if call.viewer.is_me(one)]
    user = call.viewer.user
    if user is not None and set(call.world.group_ids(user)) & set(issue.watcher_ids):
        watchers.append(user.id)
    return watchers


def _updaters(call: Call, issue: Issue) -> list[int]:
    return [journal.user_id for journal in _visible_journals(call, issue)]


def _last_updater(call: Call, issue: Issue) -> int | None:
    journals = _visible_journals(call, issue)
    return max(journals, key=lambda one: one.id).user_id if journals else None


def _parents(call: Call, issue: Issue) -> tuple[list[int], list[int]]:
    line = [one.id for one in call.world.ancestors(issue)]
    return line[:1], line


def _children(call: Call, issue: Issue) -> tuple[list[int], list[int]]:
    near = [one.id for one in call.world.children(issue)]
    return near, [one.id for one in call.world.descendants(issue)]


def _project_status(call: Call, issue: Issue) -> int:
    return call.world.projects[issue.project_id].status


def _files(call: Call, issue: Issue) -> str:
    return "\n".join(file.filename for file in call.world.attachments_of(issue))


def _status(call: Call, issue: Issue) -> Any:
    return call.world.statuses[issue.status_id]


# In the order in which Redmine complains about them.
FILTERS: Mapping[str, Filter] = {
    "status_id": Filter("Status", _status, STATUS),
    "project_id": Filter("Project", _column("project_id"), LIST),
    "tracker_id": Filter("Tracker", _column("tracker_id"), LIST),
    "priority_id": Filter("Priority", _column("priority_id"), LIST),
    "author_id": Filter("Author", _column("author_id"), LIST, about_users=True),
    "assigned_to_id": Filter("Assignee", _column("assigned_to_id"), OPTIONAL, about_users=True),
    "fixed_version_id": Filter("Target version", _column("fixed_version_id"), OPTIONAL),
    "category_id": Filter("Category", _column("category_id"), OPTIONAL),
    "subject": Filter("Subject", _column("subject"), TEXT),
    "description": Filter("Description", _column("description"), TEXT),
    "notes": Filter("Notes", _notes, TEXT),
    "created_on": Filter("Created", _column("created_on"), PAST_DATE),
    "updated_on": Filter("Updated", _column("updated_on"), PAST_DATE),
    "closed_on": Filter("Closed", _column("closed_on"), PAST_DATE),
    "start_date": Filter("Start date", _column("start_date"), DATE),
    "due_date": Filter("Due date", _column("due_date"), DATE),
    "estimated_hours": Filter("Estimated time", _column("estimated_hours"), NUMBER),
    "spent_time": Filter("Spent time", lambda c, i: c.world.spent_hours(i), AMOUNT),
    "done_ratio": Filter("% Done", _column("done_ratio"), NUMBER),
    "is_private": Filter("Private", lambda _, issue: int(issue.is_private), LIST),
    "attachment": Filter("File", _files, TEXT),
    "watcher_id": Filter("Watcher", _watchers, LIST, about_users=True),
    "updated_by": Filter("Updated by", _updaters, LIST, about_users=True),
    "last_updated_by": Filter("Last updated by", _last_updater, LIST, about_users=True),
    "project.status": Filter("Project's Status", _project_status, LIST),
    "parent_id": Filter("Parent task", _parents, TREE),
    "child_id": Filter("Subtasks", _children, TREE),
    "issue_id": Filter("Issue", _column("id"), ID),
    "any_searchable": Filter("Any searchable text", _searchable, SEARCH),
}
KINDS = {
    "int": NUMBER,
    "float": NUMBER,
    "date": DATE,
    "string": STRING,
    "text": TEXT,
    "bool": LIST,
}


def _available(call: Call, *, in_project: bool) -> dict[str, Filter]:
    """The filters that Redmine offers: categories belong to a project, privacy to a permission."""
    viewer = call.viewer
    offered = {
        "project_id": not in_project,
        "category_id": in_project,
        "is_private": any(
            map(viewer.allowed_anywhere, ("set_issues_private", "set_own_issues_private"))
        ),
        "spent_time": viewer.allowed_anywhere("view_time_entries"),
        # A saved query asks for it also in the name of nobody, who watches nothing.
        "watcher_id": viewer.user is not None or "query_id" in call.query,
    }
    filters = {name: one for name, one in FILTERS.items() if offered.get(name, True)}
    filters |= {kind: Filter(kind, _related(kind), OPTIONAL) for kind in RELATION_TYPES}
    for field in call.world.custom_fields.values():
        kind = KINDS.get(field.field_format, OPTIONAL)
        is_user = field.field_format == "user"
        value_of = _custom_value(field, kind)
        filters[f"cf_{field.id}"] = Filter(field.name, value_of, kind, about_users=is_user)
    return filters


def _related(kind: str) -> Callable[[Call, Issue], list[int]]:
    """The issues at the other end of a kind of relation."""

    def value_of(call: Call, issue: Issue) -> list[int]:
        return [
            relation.other(issue.id)
            for relation in call.world.relations_of(issue)
            if kind
            == (
                relation.relation_type
                if relation.issue_from_id == issue.id
                else OTHER_END.get(relation.relation_type, relation.relation_type)
            )
        ]

    return value_of


def _custom_value(field: CustomField, kind: Kind) -> Callable[[Call, Issue], Any]:
    def value_of(_: Call, issue: Issue) -> Any:
        value = issue.custom_values.get(str(field.id))
        if kind is NUMBER:
            return float(value) if isinstance(value, str) and value else None
        return value

    return value_of
