"""PUT /journals/:id: edit what somebody has said (Redmine's JournalsController)."""

from __future__ import annotations

from dataclasses import replace

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, deny, done, not_found, server_error
from redmine_mcp_sandbox.writing import values

UPDATE = ("edit_issue_notes", "edit_own_issue_notes")


def update(call: Call) -> Response:
    journal = call.find(call.world.journals, call.path["id"])
    issue = call.world.issues[journal.issue_id]
    project = call.world.projects[issue.project_id]
    own = call.viewer.is_me(journal.user_id)
    hidden = journal.private_notes and not (own or call.viewer.finds_private_notes(project))
    if hidden or not call.viewer.finds_issue(issue):
        not_found()
    call.require_one_of(UPDATE, project)
    if not call.viewer.allowed("edit_issue_notes", project) and not (
        own and call.viewer.allowed("edit_own_issue_notes", project)
    ):
        deny(call.viewer)
    if "journal" not in call.form:
        server_error()
    given = call.attributes("journal")
    changed = replace(journal, updated_on=call.world.now(), updated_by_id=call.me.id)
    if "notes" in given:
        changed = replace(changed, notes=values.optional_text(given["notes"]))
    if "private_notes" in given and call.viewer.allowed("set_notes_private", project):
        changed = replace(changed, private_notes=bool(values.boolean(given["private_notes"])))
    call.world.journals.put(changed)
    if not changed.notes and not changed.details:
        del call.world.journals[journal.id]
    return done()
