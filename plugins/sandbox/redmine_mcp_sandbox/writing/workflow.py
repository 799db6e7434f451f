"""Which statuses a user may give to an issue (``Issue#new_statuses_allowed_to``), scopes apart."""

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


def _is_blocked(viewer: Viewer, issue: Issue) -> bool:
    world = viewer.world
    return any(
        relation.relation_type == "blocks"
        and relation.issue_to_id == issue.id
        and not world.is_closed(world.issues[relation.issue_from_id])
        for relation in world.relations_of(issue)
    )
