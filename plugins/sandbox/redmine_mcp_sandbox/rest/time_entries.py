"""/time_entries, /projects/:id/time_entries and /issues/:id/time_entries (TimelogController)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, created, deny, done, invalid, named
from redmine_mcp_sandbox.rest.scope import project_of, subproject_ids
from redmine_mcp_sandbox.rest.time_filters import matching
from redmine_mcp_sandbox.seed import Issue, Project, TimeEntry
from redmine_mcp_sandbox.writing.logged_time import TimeForm

EDIT = ("edit_time_entries", "edit_own_time_entries")


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
    found = matching(call, entries, in_project=project is not None)
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
        **_custom_fields(call, entry),
    }


def _custom_fields(call: Call, entry: TimeEntry) -> dict[str, Any]:
    """The same fields with every entry; without any, nothing is said."""
    fields = [
        named(field)
        | ({"multiple": True} if field.multiple else {})
        | {"value": entry.custom_values.get(str(field.id), [] if field.multiple else None)}
        for field in call.world.time_entry_fields.values()
    ]
    return {"custom_fields": fields} if fields else {}
