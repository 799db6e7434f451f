"""GET /issues and /issues/:id (Redmine's IssuesController)."""

from __future__ import annotations

from typing import Any

from redmine_mcp_sandbox.rest.call import Call, deny, not_found, to_i
from redmine_mcp_sandbox.rest.filters import matching
from redmine_mcp_sandbox.rest.issue_json import listed_issue, shown_issue
from redmine_mcp_sandbox.rest.order import ordered
from redmine_mcp_sandbox.seed import Project


def index(call: Call) -> dict[str, Any]:
    project = _project(call)
    call.require("view_issues", project)
    visible = filter(call.viewer.finds_issue, call.world.issues.values())
    if project is not None:
        wanted = {project.id, *_subprojects(call, project)}
        visible = filter(lambda issue: issue.project_id in wanted, visible)
    found = matching(call, visible, in_project=project is not None)
    found = ordered(call.world, call.query.get("sort", ""), found)
    shown = [listed_issue(call, issue) for issue in call.cut(found)]
    return call.paged("issues", shown, len(found))


def show(call: Call) -> dict[str, Any]:
    issue = call.world.issues.get(to_i(call.path["id"]))
    if issue is None:
        not_found()
    if not call.viewer.may_open(issue):
        deny(call.viewer)
    return {"issue": shown_issue(call, issue)}


def _project(call: Call) -> Project | None:
    reference = call.path.get("project_id") or call.query.get("project_id")
    if not reference:
        return None
    project = call.world.project(reference)
    if project is None:
        # find_optional_project: somebody unknown is asked to sign in first.
        call.require_login()
        not_found()
    return project


def _subprojects(call: Call, project: Project) -> set[int]:
    """The subprojects whose issues are listed too: all, unless ``subproject_id`` says otherwise."""
    ids = {child.id for child in call.world.subprojects(project)}
    wanted = call.query.get("subproject_id", "*")
    if wanted == "*":
        return ids
    return set() if wanted == "!*" else ids & {int(part) for part in wanted.split("|")}
