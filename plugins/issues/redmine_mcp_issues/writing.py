"""The tools that create and change issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redmine_mcp_core import (
    BadArgument,
    Caller,
    CurrentCaller,
    CurrentNotebook,
    CurrentRedmine,
    Notebook,
    Redmine,
)
from redmine_mcp_issues.arguments import (
    Edits,
    Fields,
    Flag,
    Hours,
    Id,
    Key,
    Name,
    Named,
    Percent,
    Relations,
    Seen,
    Text,
    Watchers,
)
from redmine_mcp_issues.attributes import ATTRIBUTES
from redmine_mcp_issues.changes import WrittenIssue
from redmine_mcp_issues.creating import create
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.request import Request, Time
from redmine_mcp_issues.updating import update

_SCOPES = {
    "add_issue_notes",
    "add_issue_watchers",
    "delete_issue_watchers",
    "edit_issues",
    "edit_own_issues",
    "log_time",
    "manage_issue_relations",
    "manage_subtasks",
    "set_issues_private",
    "set_notes_private",
    "set_own_issues_private",
    "view_issue_watchers",
    "view_members",
    "view_private_notes",
    "view_project",
    "view_time_entries",
}
"""What a write can make use of."""


@plugin.tool(title="Create an issue", scopes={"view_issues", "add_issues"}, optional_scopes=_SCOPES)
async def create_issue(
    project: Named,
    subject: str,
    tracker: Name = None,
    description: Text = None,
    status: Name = None,
    priority: Name = None,
    assignee: Name = None,
    category: Name = None,
    version: Name = None,
    parent: Name = None,
    start_date: Text = None,
    due_date: Text = None,
    done_ratio: Percent = None,
    estimated_hours: Hours = None,
    private: Flag = None,
    fields: Fields = {},  # noqa: B006 - nobody changes it
    watchers: Watchers = (),
    relations: Relations = (),
    idempotency_key: Key = None,
    dry_run: bool = False,
    redmine: Redmine = CurrentRedmine(),
    caller: Caller = CurrentCaller(),
    notebook: Notebook = CurrentNotebook(),
) -> WrittenIssue:
    """Create an issue. Names, ids and "me" will do; fields are custom fields by name."""
    attributes = _attributes(locals())
    return await create(
        redmine,
        caller,
        notebook,
        project,
        Request(attributes=attributes, fields=fields, watchers=watchers, relations=relations),
        idempotency_key=idempotency_key,
        dry_run=dry_run,
    )


@plugin.tool(
    title="Change an issue",
    scopes={"view_issues", "add_issue_notes"},
    optional_scopes=_SCOPES,
)
async def update_issue(
    issue_id: Id,
    notes: Text = None,
    private_notes: bool = False,
    status: Name = None,
    assignee: Name = None,
    priority: Name = None,
    project: Name = None,
    tracker: Name = None,
    subject: Text = None,
    description: Text = None,
    replace: Edits = (),
    category: Name = None,
    version: Name = None,
    parent: Name = None,
    start_date: Text = None,
    due_date: Text = None,
    done_ratio: Percent = None,
    estimated_hours: Hours = None,
    private: Flag = None,
    fields: Fields = {},  # noqa: B006 - nobody changes it
    watchers: Watchers = (),
    relations: Relations = (),
    log_hours: Hours = None,
    activity: Name = None,
    log_comment: Text = None,
    log_date: Text = None,
    expected_updated_on: Seen = None,
    dry_run: bool = False,
    redmine: Redmine = CurrentRedmine(),
    caller: Caller = CurrentCaller(),
) -> WrittenIssue:
    """Change an issue, comment, log time. "" empties; "-Bob" or "-blocks #12" takes away."""
    attributes = _attributes(locals())
    return await update(
        redmine,
        caller,
        issue_id,
        Request(
            attributes=attributes,
            fields=fields,
            watchers=watchers,
            relations=relations,
            edits=replace,
            notes=notes or "",
            private_notes=private_notes,
            time=_time(log_hours, activity, log_comment, log_date),
        ),
        project=project,
        expected_updated_on=expected_updated_on,
        dry_run=dry_run,
    )


def _attributes(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a tool's arguments that are attributes of an issue in its project."""
    return {
        name: value for name, value in arguments.items() if name in ATTRIBUTES and name != "project"
    }


def _time(
    hours: float | None, activity: str | int | None, comment: str | None, day: str | None
) -> Time | None:
    if hours:
        return Time(hours, activity, comment, day)
    if activity or comment or day:
        raise BadArgument("activity, log_comment and log_date belong to log_hours.")
    return None
