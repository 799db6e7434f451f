"""The tool that changes a time entry: read, written, read again."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from redmine_mcp_core import BadArgument, CurrentRedmine, Forbidden, Redmine, hours_of, line
from redmine_mcp_time.arguments import Comments, EntryId, Fields, Name, Text, issue_number
from redmine_mcp_time.plugin import plugin
from redmine_mcp_time.reading import Entry, entry_of
from redmine_mcp_time.rows import entry_from
from redmine_mcp_time.wishes import Wishes, body_of, dropped_of, held, labels_of
from redmine_mcp_time.written import Change, WrittenTimeEntry

SCOPES = {"view_time_entries", "edit_own_time_entries"}
OPTIONAL_SCOPES = {"edit_time_entries", "view_issues", "view_members", "view_project"}
NOT_ALLOWED = (
    "Redmine does not let you change this time entry: your role needs edit_time_entries, or "
    "edit_own_time_entries for your own."
)


@plugin.tool(
    title="Change a time entry",
    scopes=SCOPES,
    optional_scopes=OPTIONAL_SCOPES | {"log_time", "log_time_for_other_users"},
    listed=False,
)
async def update_time_entry(
    entry_id: EntryId,
    hours: Annotated[
        float | None,
        BeforeValidator(lambda wanted: None if wanted is None else hours_of(wanted)),
        WithJsonSchema({"type": ["number", "string"], "description": "1.5, 1:30 or 1h30"}),
    ] = None,
    issue: Annotated[
        str | int | None,
        WithJsonSchema({"type": "string", "description": 'Another one; "" for none'}),
    ] = None,
    project: Name = None,
    activity: Name = None,
    spent_on: Text = None,
    comments: Comments = None,
    user: Name = None,
    fields: Fields = {},  # noqa: B006 - nobody changes it
    redmine: Redmine = CurrentRedmine(),
) -> WrittenTimeEntry:
    """Change a time entry: hours, day, activity, comment; move it to another issue."""
    wishes = Wishes(
        hours, issue, project or None, activity or None, spent_on or None, comments, user, fields
    )
    if wishes == Wishes(fields={}):
        raise BadArgument("Nothing was asked to be changed.")
    before = await entry_of(redmine, entry_id)
    body = await body_of(redmine, wishes, await _place(redmine, wishes, before))
    _check_move(body, before)
    try:
        await redmine.put(f"/time_entries/{entry_id}.json", {"time_entry": body})
    except Forbidden as error:
        raise Forbidden(NOT_ALLOWED) if error.code == Forbidden.code else error from None
    after = await entry_of(redmine, entry_id)
    changes = _changes(before, after)
    return WrittenTimeEntry(
        outcome="changed" if changes else "unchanged",
        id=entry_id,
        entry=entry_from(after),
        changes=changes,
        dropped=dropped_of(body, after),
    )


async def _place(redmine: Redmine, wishes: Wishes, before: Entry) -> int | None:
    """The project in which the entry is to lie, as far as a name has to be looked for there."""
    if wishes.project:
        return int((await redmine.project(wishes.project))["id"])
    if not wishes.issue:
        return int(before["project"]["id"])
    if not (wishes.activity or wishes.user):
        return None
    answer = await redmine.get(f"/issues/{issue_number(str(wishes.issue))}.json")
    return int(answer["issue"]["project"]["id"])


def _check_move(body: dict[str, object], before: Entry) -> None:
    """Redmine would say no more than that the issue is invalid."""
    issue = before.get("issue")
    if "issue_id" in body or not issue or body.get("project_id") in (None, before["project"]["id"]):
        return
    raise BadArgument(
        f"It is logged on #{issue['id']} of ",
        line(before["project"]["name"]),
        ': say issue="" to log it on the project alone, or another issue.',
    )


def _changes(before: Entry, after: Entry) -> tuple[Change, ...]:
    was, labels = held(before), labels_of(after)
    return tuple(
        Change(field=labels[key], before=was[key].text if key in was else "none", after=now.text)
        for key, now in held(after).items()
        if key not in was or was[key].value != now.value
    )
