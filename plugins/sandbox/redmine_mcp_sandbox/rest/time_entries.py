"""/time_entries, /projects/:id/time_entries and /issues/:id/time_entries (TimelogController)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, created, deny, done, invalid, named
from redmine_mcp_sandbox.rest.operators import LIST, NUMBER, OPTIONAL, PAST_DATE, TEXT, TREE
from redmine_mcp_sandbox.rest.querying import Filter, Wishes, select, wishes_of
from redmine_mcp_sandbox.rest.scope import project_of, subproject_ids
from redmine_mcp_sandbox.seed import Issue, Project, TimeEntry
from redmine_mcp_sandbox.writing import values
from redmine_mcp_sandbox.writing.logged_time import TimeForm

EDIT = ("edit_time_entries", "edit_own_time_entries")


def _issue_line(call: Call, entry: TimeEntry) -> tuple[list[int], list[int]]:
    issue = call.world.issues.get(entry.issue_id or 0)
    if issue is None:
        return [], []
    return [issue.id], [issue.id, *(one.id for one in call.world.ancestors(issue))]


def _of_issue(column: str) -> Callable[[Call, TimeEntry], Any]:
    def value_of(call: Call, entry: TimeEntry) -> Any:
        issue = call.world.issues.get(entry.issue_id or 0)
        return issue and getattr(issue, column)

    return value_of


FILTERS: Mapping[str, Filter] = {
    "spent_on": Filter("Date", lambda _, one: one.spent_on, PAST_DATE),
    "issue_id": Filter("Issue", _issue_line, TREE),
    "issue.tracker_id": Filter("Issue's Tracker", _of_issue("tracker_id"), LIST),
    "issue.status_id": Filter("Issue's Status", _of_issue("status_id"), LIST),
    "issue.fixed_version_id": Filter("Issue's Version", _of_issue("fixed_version_id"), LIST),
    "user_id": Filter("User", lambda _, one: one.user_id, OPTIONAL, about_users=True),
    "author_id": Filter("Author", lambda _, one: one.author_id, OPTIONAL, about_users=True),
    "activity_id": Filter("Activity", lambda _, one: one.activity_id, LIST),
    "comments": Filter("Comment", lambda _, one: one.comments, TEXT),
    "hours": Filter("Hours", lambda _, one: one.hours, NUMBER),
}
COLUMNS: Mapping[str, Callable[[Call, TimeEntry], Any]] = {
    "spent_on": lambda _, one: (one.spent_on, one.created_on),
    "created_on": lambda _, one: one.created_on,
    "hours": lambda _, one: one.hours,
    "user": lambda call, one: call.world.users[one.user_id].name,
    "project": lambda call, one: call.world.projects[one.project_id].name,
    "activity": lambda _, one: one.activity_id,
    "issue": lambda _, one: one.issue_id or 0,
}


def index(call: Call) -> dict[str, Any]:
    project = project_of(call)
    call.require("view_time_entries", project)
    world = call.world
    entries = [
        entry
        for entry in world.time_entries.values()
        if call.viewer.finds("view_time_entries", world.projects[entry.project_id])
    ]
    if project is not None:
        wanted = {project.id, *subproject_ids(call, project)}
        entries = [entry for entry in entries if entry.project_id in wanted]
    found = _ordered(call, select(call, entries, FILTERS, _wishes(call)))
    shown = [_fields(call, entry) for entry in call.cut(found)]
    return call.paged("time_entries", shown, len(found))


def show(call: Call) -> dict[str, Any]:
    entry = call.find(call.world.time_entries, call.path["id"])
    call.require("view_time_entries", call.world.projects[entry.project_id])
    return {"time_entry": _fields(call, entry)}


def create(call: Call) -> Response:
    issue, project = _place(call)
    call.require("log_time", project)
    form = TimeForm.new(call.viewer, project, issue)
    form.assign(call.attributes("time_entry"))
    if form.project is not None:
        call.require("log_time", form.project)
    if complaints := list(form.complaints()):
        invalid(complaints)
    entry = call.world.time_entries.add(form.entry())
    location = f"{call.base_url}/time_entries/{entry.id}"
    return created({"time_entry": _fields(call, entry)}, location)


def update(call: Call) -> Response:
    form = TimeForm.of(call.viewer, _editable(call))
    form.assign(call.attributes("time_entry"))
    if complaints := list(form.complaints()):
        invalid(complaints)
    call.world.time_entries.put(form.entry())
    return done()


def destroy(call: Call) -> Response:
    del call.world.time_entries[_editable(call).id]
    return done()


def _editable(call: Call) -> TimeEntry:
    entry = call.find(call.world.time_entries, call.path["id"])
    if not call.viewer.may_edit_time(entry):
        deny(call.viewer)
    call.require_one_of(EDIT, call.world.projects[entry.project_id])
    return entry


def _place(call: Call) -> tuple[Issue | None, Project | None]:
    if "issue_id" in call.path:
        issue = call.find(call.world.issues, call.path["issue_id"])
        return issue, call.world.projects[issue.project_id]
    return None, project_of(call)


def _wishes(call: Call) -> Wishes:
    """``from`` and ``to`` are other words for ``spent_on``; what is no date is left out."""
    wishes = dict(wishes_of(call, FILTERS, {}))
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
    """Sort by ``hours:desc,user``; by default, and among equals, the latest first."""
    found = sorted(entries, key=lambda one: (one.spent_on, one.created_on, one.id), reverse=True)
    for part in reversed(call.query.get("sort", "").split(",")):
        name, _, direction = part.strip().partition(":")
        if name in COLUMNS:
            found.sort(key=partial(COLUMNS[name], call), reverse=direction == "desc")
    return found


def _fields(call: Call, entry: TimeEntry) -> dict[str, Any]:
    world = call.world
    return {
        "id": entry.id,
        "project": named(world.projects[entry.project_id]),
        **({"issue": {"id": entry.issue_id}} if entry.issue_id else {}),
        "user": named(world.users[entry.user_id]),
        "activity": named(world.activities[entry.activity_id]),
        "hours": round(entry.hours, 2),
        "comments": entry.comments,
        "spent_on": entry.spent_on,
        "created_on": entry.created_on,
        "updated_on": entry.updated_on,
    }
