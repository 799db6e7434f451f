"""GET /projects, /projects/:id, and what hangs on a project: members, versions, categories."""

from __future__ import annotations

from typing import Any

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.rest.call import Call, named
from redmine_mcp_sandbox.seed import Project


def index(call: Call) -> dict[str, Any]:
    found = [p for p in call.world.projects.values() if call.viewer.finds_project(p)]
    shown = [_project(call, project) for project in call.cut(found)]
    return call.paged("projects", shown, len(found))


def show(call: Call) -> dict[str, Any]:
    project = call.find_project(call.path["project_id"])
    call.require("view_project", project)
    return {"project": _project(call, project)}


def _project(call: Call, project: Project) -> dict[str, Any]:
    parent = call.world.projects.get(project.parent_id or 0)
    parent_shown = parent is not None and call.viewer.allowed("view_project", parent)
    return {
        "id": project.id,
        "name": project.name,
        "identifier": project.identifier,
        "description": project.description,
        "homepage": project.homepage,
        **({"parent": named(parent)} if parent_shown else {}),
        "status": 1,
        "is_public": project.is_public,
        "inherit_members": False,
        **_includes(call, project),
        "created_on": project.created_on,
        "updated_on": project.updated_on,
    }


def _includes(call: Call, project: Project) -> dict[str, Any]:
    world, allowed = call.world, call.viewer.allowed
    sees_issues = allowed("view_issues", project)
    sees_time = allowed("view_time_entries", project)
    categories = [c for c in world.seed.issue_categories if c.project_id == project.id]
    included = {
        "trackers": sees_issues and [named(world.trackers[i]) for i in project.tracker_ids],
        "issue_categories": sees_issues
        and [named(category) for category in sorted(categories, key=lambda c: c.name)],
        "time_entry_activities": sees_time and [named(one) for one in reference.ACTIVITIES],
        "enabled_modules": _modules(call, project),
        "issue_custom_fields": sees_issues
        and [named(world.custom_fields[i]) for i in project.issue_custom_field_ids],
    }
    return {n: value for n, value in included.items() if n in call.includes and value is not False}


def _modules(call: Call, project: Project) -> list[dict[str, Any]]:
    rows = [(p.id, name) for p in call.world.seed.projects for name in p.enabled_modules]
    return [
        {"id": row_id, "name": name}
        for row_id, (project_id, name) in enumerate(rows, start=1)
        if project_id == project.id
    ]
