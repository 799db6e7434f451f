"""What the workflow lets a user do with an issue, scopes apart.

Which statuses they may give it (``Issue#new_statuses_allowed_to``), and which fields are read-only
or required for them (``Issue#workflow_rule_by_attribute``).
"""

from __future__ import annotations

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.reference import IssueStatus
from redmine_mcp_sandbox.seed import Issue, Project


def new_issue_statuses() -> list[IssueStatus]:
    """A new issue begins with the tracker's default: no role has a transition from nothing."""
    return [reference.DEFAULT_STATUS]


def allowed_statuses(
    viewer: Viewer, issue: Issue, project: Project | None = None
) -> list[IssueStatus]:
    """The statuses that an existing issue may have next, its own among them.

    Args:
        viewer: Who asks.
        issue: As it is in the database.
        project: Where it is going to be, if it is being moved.
    """
    world = viewer.world
    roles = viewer.workflow_roles(project or world.projects[issue.project_id])
    ids = {new for role in roles for new in role.transitions.get(issue.status_id, ())}
    if ids:
        ids.add(issue.status_id)
    closed = {status.id for status in reference.STATUSES if status.is_closed}
    if _is_blocked(viewer, issue) or not all(map(world.is_closed, world.descendants(issue))):
        ids -= closed
    if any(map(world.is_closed, world.ancestors(issue))):
        ids &= closed
    return [status for status in reference.STATUSES if status.id in ids]


def field_rules(
    viewer: Viewer, project: Project, tracker_id: int | None, status_id: int | None
) -> dict[str, str]:
    """``readonly`` or ``required`` by attribute, or by the id of a custom field.

    A rule holds for somebody of several roles if each of these has one; if those differ, the field
    is required.
    """
    roles = {role.name for role in viewer.workflow_roles(project)}
    rules: dict[str, list[str]] = {}
    for permission in viewer.world.workflow_permissions.values():
        fits = (permission.tracker_id, permission.status_id) == (tracker_id, status_id)
        if permission.role in roles and fits:
            rules.setdefault(permission.field_name, []).append(permission.rule)
    return {
        name: found[0] if len(set(found)) == 1 else "required"
        for name, found in rules.items()
        if len(found) == len(roles)
    }


def _is_blocked(viewer: Viewer, issue: Issue) -> bool:
    world = viewer.world
    return any(
        relation.relation_type == "blocks"
        and relation.issue_to_id == issue.id
        and not world.is_closed(world.issues[relation.issue_from_id])
        for relation in world.relations_of(issue)
    )
