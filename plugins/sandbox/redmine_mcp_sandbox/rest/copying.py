"""POST /issues with ``copy_from``: a new issue like another one (``Issue#copy_from``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from redmine_mcp_sandbox.rest.call import Call, deny
from redmine_mcp_sandbox.seed import Issue, Project
from redmine_mcp_sandbox.writing.draft import Draft
from redmine_mcp_sandbox.writing.relating import relate
from redmine_mcp_sandbox.writing.saving import Saver

NOT_COPIED: dict[str, Any] = {
    "id": 0,
    "parent_id": None,
    "status_id": None,
    "created_on": None,
    "updated_on": None,
    "closed_on": None,
    "watcher_ids": [],
    "lock_version": 1,
}


def copy_of(call: Call, project: Project | None) -> Draft | None:
    """The draft of a copy; None, if the call asks for none."""
    if "copy_from" not in call.params:
        return None
    source = _source(call)
    if not call.viewer.allowed("copy_issues", call.world.projects[source.project_id]):
        deny(call.viewer)
    draft = _draft(call, source)
    draft.columns["parent_id"] = source.parent_id
    if project is not None and call.viewer.allowed("add_issue_watchers", project):
        draft.columns["watcher_ids"] = list(source.watcher_ids)
    return draft


def finish_copy(call: Call, saver: Saver, copy: Issue) -> None:
    """Give a copy the files, the subtasks and the relation that the call asks for."""
    if "copy_from" not in call.params:
        return
    source = _source(call)
    if call.params.get("copy_attachments") == "1":
        _copy_attachments(call, source, copy)
    if call.params.get("link_copy") == "1":
        relate(saver, source, copy, "copied_to")
    if call.params.get("copy_subtasks"):
        _copy_subtasks(call, saver, source, copy)


def _source(call: Call) -> Issue:
    source = call.find(call.world.issues, call.params["copy_from"])
    if not call.viewer.finds_issue(source):
        call.find({}, source.id)
    return source


def _draft(call: Call, source: Issue) -> Draft:
    draft = Draft(call.viewer, source)
    draft.before = None
    draft.columns |= NOT_COPIED | {"author_id": call.me.id}
    draft.columns["custom_values"] = dict(source.custom_values)
    return draft


def _copy_attachments(call: Call, source: Issue, copy: Issue) -> None:
    for file in call.world.attachments_of(source):
        call.world.attachments.add(replace(file, issue_id=copy.id))


def _copy_subtasks(call: Call, saver: Saver, source: Issue, copy: Issue) -> None:
    for child in call.world.children(source):
        if child.id == copy.id or not call.viewer.may_open(child):
            continue
        draft = _draft(call, child)
        draft.move_to(call.world.projects[copy.project_id])
        given: dict[str, Any] = {"parent_id": copy.id, "status_id": 1}
        version = call.world.versions.get(child.fixed_version_id or 0)
        if version is None or version.status != "open":
            given["fixed_version_id"] = None
        draft.columns |= given
        twin = saver.create(draft)
        if call.params.get("link_copy") == "1":
            relate(saver, child, twin, "copied_to")
        _copy_subtasks(call, saver, child, twin)
