"""An issue as JSON: ``app/views/issues/show.api.rsb`` and ``index.api.rsb``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from redmine_mcp_sandbox.reference import IssueStatus
from redmine_mcp_sandbox.rest.call import Call, named, without_none
from redmine_mcp_sandbox.seed import Attachment, Issue, IssueRelation, Journal, JournalDetail
from redmine_mcp_sandbox.writing.workflow import allowed_statuses


def issue_fields(call: Call, issue: Issue) -> dict[str, Any]:
    """What a list and a single answer have in common."""
    world = call.world
    project = world.projects[issue.project_id]
    status = world.statuses[issue.status_id]
    mentioned = without_none(
        assigned_to=issue.assigned_to_id and named(world.principal(issue.assigned_to_id)),
        category=issue.category_id and named(world.categories[issue.category_id]),
        fixed_version=issue.fixed_version_id and named(world.versions[issue.fixed_version_id]),
        parent=issue.parent_id and {"id": issue.parent_id},
    )
    return {
        "id": issue.id,
        "project": named(project),
        "tracker": named(world.trackers[issue.tracker_id]),
        "status": status_fields(status),
        "priority": named(world.priorities[issue.priority_id]),
        "author": named(world.users[issue.author_id]),
        **mentioned,
        "subject": issue.subject,
        "description": issue.description,
        "start_date": issue.start_date,
        "due_date": issue.due_date,
        "done_ratio": issue.done_ratio,
        "is_private": issue.is_private,
        "estimated_hours": issue.estimated_hours,
        "total_estimated_hours": _total_estimated_hours(call, issue),
        **(_spent_hours(call, issue) if call.viewer.allowed("view_time_entries", project) else {}),
        "custom_fields": [
            _custom_field(call, int(field_id), value)
            for field_id, value in issue.custom_values.items()
        ],
        "created_on": issue.created_on,
        "updated_on": issue.updated_on,
        "closed_on": issue.closed_on,
    }


def listed_issue(call: Call, issue: Issue) -> dict[str, Any]:
    """An issue of a list; here the relations are judged without the token's scopes."""
    fields = issue_fields(call, issue)
    if "attachments" in call.includes:
        fields["attachments"] = _attachments(call, issue)
    if "relations" in call.includes:
        fields["relations"] = [
            relation_fields(relation)
            for relation in call.world.relations_of(issue)
            if call.viewer.finds_issue(call.world.issues[relation.other(issue.id)])
        ]
    return fields


def shown_issue(call: Call, issue: Issue) -> dict[str, Any]:
    """A single issue with everything that was asked to be included."""
    world, viewer = call.world, call.viewer
    project = world.projects[issue.project_id]
    wanted: dict[str, Callable[[], list[Any]]] = {
        "children": lambda: _children(call, issue),
        "attachments": lambda: _attachments(call, issue),
        "relations": lambda: [
            relation_fields(relation)
            for relation in world.relations_of(issue)
            if viewer.may_open(world.issues[relation.other(issue.id)])
        ],
        "changesets": list,
        "journals": lambda: _journals(call, issue),
        "watchers": lambda: [named(world.principal(one)) for one in issue.watcher_ids],
        "allowed_statuses": lambda: _allowed_statuses(call, issue),
    }
    fields = issue_fields(call, issue)
    fields |= {name: make() for name, make in wanted.items() if name in call.includes}
    if not world.children(issue):
        fields.pop("children", None)
    if not fields.get("relations"):
        fields.pop("relations", None)
    if not viewer.allowed("view_issue_watchers", project):
        fields.pop("watchers", None)
    return fields


def _total_estimated_hours(call: Call, issue: Issue) -> float | None:
    if not call.world.children(issue):
        return issue.estimated_hours
    family = [issue, *call.world.descendants(issue)]
    return sum((i.estimated_hours or 0.0 for i in family if call.viewer.finds_issue(i)), 0.0)


def _spent_hours(call: Call, issue: Issue) -> dict[str, float]:
    own = call.world.spent_hours(issue)
    below = sum(map(call.world.spent_hours, call.world.descendants(issue)))
    return {"spent_hours": own, "total_spent_hours": own + below}


def _custom_field(call: Call, field_id: int, value: str | list[str] | None) -> dict[str, Any]:
    field = call.world.custom_fields[field_id]
    return named(field) | ({"multiple": True} if field.multiple else {}) | {"value": value}


def _children(call: Call, issue: Issue) -> list[dict[str, Any]]:
    shown = []
    for child in filter(call.viewer.finds_issue, call.world.children(issue)):
        tracker = named(call.world.trackers[child.tracker_id])
        below = {"children": _children(call, child)} if call.world.children(child) else {}
        shown.append({"id": child.id, "tracker": tracker, "subject": child.subject} | below)
    return shown


def _attachments(call: Call, issue: Issue) -> list[dict[str, Any]]:
    return [attachment_fields(call, attachment) for attachment in call.world.attachments_of(issue)]


def attachment_fields(call: Call, attachment: Attachment) -> dict[str, Any]:
    base = f"{call.base_url}/attachments"
    thumbnail = {"thumbnail_url": f"{base}/thumbnail/{attachment.id}"}
    return {
        "id": attachment.id,
        "filename": attachment.filename,
        "filesize": len(attachment.content),
        "content_type": attachment.content_type,
        "description": attachment.description,
        "content_url": f"{base}/download/{attachment.id}/{quote(attachment.filename)}",
        **(thumbnail if (attachment.content_type or "").startswith("image/") else {}),
        "author": named(call.world.users[attachment.author_id]),
        "created_on": attachment.created_on,
    }


def relation_fields(relation: IssueRelation) -> dict[str, Any]:
    return {
        "id": relation.id,
        "issue_id": relation.issue_from_id,
        "issue_to_id": relation.issue_to_id,
        "relation_type": relation.relation_type,
        "delay": relation.delay,
    }


def _journals(call: Call, issue: Issue) -> list[dict[str, Any]]:
    viewer, project = call.viewer, call.world.projects[issue.project_id]
    sees_private = viewer.allowed("view_private_notes", project)
    shown = []
    for journal in call.world.journals_of(issue):
        own = viewer.user is not None and journal.user_id == viewer.user.id
        if journal.private_notes and not sees_private and not own:
            continue
        details = [detail for detail in journal.details if _is_visible(call, detail)]
        if journal.notes or details:
            shown.append(_journal(call, journal, details))
    return shown


def _is_visible(call: Call, detail: JournalDetail) -> bool:
    """A relation to an issue that the viewer may not see is not mentioned."""
    if detail.property != "relation":
        return True
    other = call.world.issues.get(int(detail.new_value or detail.old_value or 0))
    return other is not None and call.viewer.may_open(other)


def _journal(call: Call, journal: Journal, details: list[JournalDetail]) -> dict[str, Any]:
    editor = call.world.users.get(journal.updated_by_id or 0)
    return {
        "id": journal.id,
        "user": named(call.world.users[journal.user_id]),
        "notes": journal.notes,
        "created_on": journal.created_on,
        "updated_on": journal.updated_on,
        **({"updated_by": named(editor)} if editor else {}),
        "private_notes": journal.private_notes,
        "details": [
            {
                "property": detail.property,
                "name": detail.name,
                "old_value": detail.old_value,
                "new_value": detail.new_value,
            }
            for detail in details
        ],
    }


def _allowed_statuses(call: Call, issue: Issue) -> list[dict[str, Any]]:
    return [status_fields(status) for status in allowed_statuses(call.viewer, issue)]


def status_fields(status: IssueStatus) -> dict[str, Any]:
    return {**named(status), "is_closed": status.is_closed}
