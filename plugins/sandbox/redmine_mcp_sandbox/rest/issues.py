"""/issues and /issues/:id (Redmine's IssuesController)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import (
    Call,
    created,
    deny,
    done,
    halt,
    invalid,
    server_error,
)
from redmine_mcp_sandbox.rest.copying import copy_of, finish_copy
from redmine_mcp_sandbox.rest.filters import matching
from redmine_mcp_sandbox.rest.issue_json import listed_issue, shown_issue, status_fields
from redmine_mcp_sandbox.rest.order import ordered
from redmine_mcp_sandbox.rest.queries import saved_query
from redmine_mcp_sandbox.rest.scope import project_of, subproject_ids
from redmine_mcp_sandbox.rest.uploads import Uploads
from redmine_mcp_sandbox.seed import Issue
from redmine_mcp_sandbox.writing import rules, values
from redmine_mcp_sandbox.writing.draft import Draft
from redmine_mcp_sandbox.writing.logged_time import TimeForm
from redmine_mcp_sandbox.writing.saving import Saver
from redmine_mcp_sandbox.writing.workflow import new_issue_statuses

CREATE = ("add_issues", "copy_issues")
# Redmine 6.1 creates the issue, and then fails to show these of it.
NOT_SHOWN_WHEN_NEW = {"journals", "changesets"}
SPENT = ("spent_hours", "total_spent_hours")
UPDATE = ("edit_issues", "edit_own_issues", "add_issue_notes")


def index(call: Call) -> dict[str, Any]:
    project = project_of(call)
    call.require("view_issues", project)
    visible = filter(call.viewer.finds_issue, call.world.issues.values())
    if project is not None:
        wanted = {project.id, *subproject_ids(call, project)}
        visible = filter(lambda issue: issue.project_id in wanted, visible)
    query = saved_query(call)
    wishes = query.filters if query else None
    found = matching(call, visible, in_project=project is not None, wishes=wishes)
    sort = call.query.get("sort") or (query.sort if query else "")
    found = ordered(call.world, sort, found)
    shown = [listed_issue(call, issue) for issue in call.cut(found)]
    return call.paged("issues", shown, len(found))


def show(call: Call) -> dict[str, Any]:
    issue = call.find(call.world.issues, call.path["id"])
    if not call.viewer.may_open(issue):
        deny(call.viewer)
    return {"issue": shown_issue(call, issue)}


def create(call: Call) -> Response:
    project = project_of(call)
    call.require_one_of(CREATE, project)
    given = _wishes(call)
    draft = copy_of(call, project) or Draft(call.viewer)
    if project is not None:
        draft.move_to(project)
    draft.columns["start_date"] = draft.columns["start_date"] or call.world.today().isoformat()
    draft.assign(given)
    if any(call.world.active_principal(one) is None for one in draft.columns["watcher_ids"]):
        halt(404, "Not Found")
    call.require("add_issues", draft.project)
    uploads = Uploads(call, given.get("uploads"))
    if complaints := [*uploads.complaints, *rules.complaints(draft)]:
        invalid(complaints)
    saver = Saver(call.viewer)
    issue = saver.create(draft, uploads.files)
    fields = shown_issue(call, issue)
    if "allowed_statuses" in fields:
        fields["allowed_statuses"] = [status_fields(one) for one in new_issue_statuses()]
    finish_copy(call, saver, issue)
    if NOT_SHOWN_WHEN_NEW & call.includes:
        server_error()
    if project is None:
        # Redmine asks for the permission in the address's project, and there is none.
        fields = {name: one for name, one in fields.items() if name not in SPENT}
    return created({"issue": fields}, f"{call.base_url}/issues/{issue.id}")


def update(call: Call) -> Response:
    issue = call.find(call.world.issues, call.path["id"])
    project = call.world.projects[issue.project_id]
    if not call.viewer.may_open(issue):
        deny(call.viewer)
    call.require_one_of(UPDATE, project)
    given = {name: "" if one == "none" else one for name, one in _wishes(call).items()}
    draft = Draft(call.viewer, issue)
    draft.assign(given)
    may_attach = call.viewer.may_edit(issue) or call.viewer.may_comment(issue)
    uploads = Uploads(call, given.get("uploads") if may_attach else None)
    time = _logged_time(call, issue)
    unlogged = ["Log time is invalid"] if time and any(time.complaints()) else []
    if complaints := [*unlogged, *uploads.complaints, *rules.complaints(draft)]:
        invalid(complaints)
    if draft.stale:
        # Redmine notices when it writes, so after the validation.
        invalid([])
    after = Saver(call.viewer).update(draft, uploads.files)
    if time:
        time.columns["project_id"] = after.project_id
        call.world.time_entries.add(time.entry())
    return done()


def destroy(call: Call) -> Response:
    issue = call.find(call.world.issues, call.path["id"])
    project = call.world.projects[issue.project_id]
    if not call.viewer.may_open(issue):
        deny(call.viewer)
    call.require("delete_issues", project)
    _keep_time(call, issue)
    Saver(call.viewer).delete(issue)
    return done()


def _wishes(call: Call) -> dict[str, Any]:
    given = call.attributes("issue")
    if given.get("assigned_to_id") == "me" and call.viewer.user:
        given["assigned_to_id"] = call.viewer.user.id
    return given


def _logged_time(call: Call, issue: Issue) -> TimeForm | None:
    """The time entry that a change of an issue brings along."""
    given = call.attributes("time_entry")
    project = call.world.projects[issue.project_id]
    said = not (values.blank(given.get("hours")) and values.blank(given.get("comments")))
    if not said or not call.viewer.allowed("log_time", project):
        return None
    form = TimeForm.new(call.viewer, project, issue)
    form.assign(given)
    return form


def _keep_time(call: Call, issue: Issue) -> None:
    """``todo`` says what becomes of the hours on a deleted issue; by default they go too.

    Raises:
        HaltError: 406, they are to go to an issue that cannot take them.
    """
    family = {issue.id, *(one.id for one in call.world.descendants(issue))}
    entries = [one for one in call.world.time_entries.values() if one.issue_id in family]
    todo = call.params.get("todo")
    if not entries or todo not in ("nullify", "reassign"):
        return
    heir = None
    if todo == "reassign":
        heir = call.world.issues.get(values.integer(call.params.get("reassign_to_id")) or 0)
        if heir is None or heir.project_id != issue.project_id or heir.id in family:
            halt(406, "Not Acceptable")
    for entry in entries:
        call.world.time_entries.put(replace(entry, issue_id=heir.id if heir else None))
