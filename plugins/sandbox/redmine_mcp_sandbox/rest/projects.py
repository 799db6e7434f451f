"""GET /projects, /projects/:id, and what hangs on a project: members, versions, categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.rest.call import Call, named, without_none
from redmine_mcp_sandbox.rest.operators import LIST, OPTIONAL, PAST_DATE, TEXT
from redmine_mcp_sandbox.rest.querying import Filter, Wishes, select, wishes_of
from redmine_mcp_sandbox.seed import Project

FILTERS: Mapping[str, Filter] = {
    "status": Filter("Status", lambda _, one: one.status, LIST),
    "name": Filter("Name", lambda _, one: one.name, TEXT),
    "description": Filter("Description", lambda _, one: one.description, TEXT),
    "parent_id": Filter("Subproject of", lambda _, one: one.parent_id, OPTIONAL),
    "is_public": Filter("Public", lambda _, one: int(one.is_public), LIST),
    "created_on": Filter("Created", lambda _, one: one.created_on, PAST_DATE),
    "updated_on": Filter("Updated", lambda _, one: one.updated_on, PAST_DATE),
}
ACTIVE_ONES: Wishes = {"status": ("=", ["1"])}


def index(call: Call) -> dict[str, Any]:
    visible = filter(call.viewer.finds_project, _in_tree_order(call))
    found = select(call, visible, FILTERS, wishes_of(call, FILTERS, ACTIVE_ONES))
    shown = [_project(call, project) for project in call.cut(found)]
    return call.paged("projects", shown, len(found))


def show(call: Call) -> dict[str, Any]:
    project = call.find_project(call.path["project_id"])
    call.require("view_project", project)
    return {"project": shown_project(call, project)}


def shown_project(call: Call, project: Project) -> dict[str, Any]:
    """A single project also says what new issues get by default."""
    version = call.world.versions.get(project.default_version_id or 0)
    assignee = call.world.active_principal(project.default_assigned_to_id)
    defaults = without_none(
        default_version=version and named(version), default_assignee=assignee and named(assignee)
    )
    return _project(call, project, defaults)


def _in_tree_order(call: Call, parent_id: int | None = None) -> Iterator[Project]:
    """By name, each followed by its subprojects (the nested set's ``lft``)."""
    children = [one for one in call.world.projects.values() if one.parent_id == parent_id]
    for project in sorted(children, key=lambda one: one.name.lower()):
        yield project
        yield from _in_tree_order(call, project.id)


def _project(
    call: Call, project: Project, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    parent = call.world.projects.get(project.parent_id or 0)
    parent_shown = parent is not None and call.viewer.allowed("view_project", parent)
    return {
        "id": project.id,
        "name": project.name,
        "identifier": project.identifier,
        "description": project.description,
        "homepage": project.homepage,
        **({"parent": named(parent)} if parent_shown else {}),
        "status": project.status,
        "is_public": project.is_public,
        "inherit_members": project.inherit_members,
        **(defaults or {}),
        **_includes(call, project),
        "created_on": project.created_on,
        "updated_on": project.updated_on,
    }


def _includes(call: Call, project: Project) -> dict[str, Any]:
    world, allowed = call.world, call.viewer.allowed
    sees_issues = allowed("view_issues", project)
    sees_time = allowed("view_time_entries", project)
    categories = [c for c in world.categories.values() if c.project_id == project.id]
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
    return [
        {"id": call.world.module_ids[project.id, name], "name": name}
        for name in project.enabled_modules
    ]
