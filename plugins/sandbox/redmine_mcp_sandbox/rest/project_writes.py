"""Creating, changing and closing projects (Redmine's ProjectsController)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.rest.call import Call, created, deny, done, invalid, server_error
from redmine_mcp_sandbox.rest.projects import shown_project
from redmine_mcp_sandbox.roles import MANAGER
from redmine_mcp_sandbox.seed import ACTIVE, ARCHIVED, CLOSED, MemberRole, Project
from redmine_mcp_sandbox.writing import values
from redmine_mcp_sandbox.writing.membership import (
    add_member,
    inherit_members,
    stop_inheriting_members,
)

MAX_TEXT = 255
MAX_IDENTIFIER = 100
RESERVED = ("new", "autocomplete", "bulk_destroy")
# The setting default_projects_modules.
MODULES = (
    "issue_tracking",
    "time_tracking",
    "news",
    "documents",
    "files",
    "wiki",
    "repository",
    "boards",
    "calendar",
    "gantt",
)


def _texts(value: Any) -> list[str]:
    return [values.text(one) for one in value if one] if isinstance(value, list) else []


READERS: Mapping[str, Callable[[Any], Any]] = {
    "name": values.text,
    "description": values.optional_text,
    "homepage": values.text,
    "identifier": values.text,
    "tracker_ids": values.integers,
    "parent_id": values.integer,
    "default_version_id": values.integer,
    "default_assigned_to_id": values.integer,
    "is_public": lambda value: bool(values.boolean(value)),
    "enabled_modules": _texts,
    "inherit_members": lambda value: bool(values.boolean(value)),
}
# What needs a permission beside that of changing the project.
PERMISSIONS = {
    "is_public": "select_project_publicity",
    "enabled_modules": "select_project_modules",
    "inherit_members": "manage_members",
}


def create(call: Call) -> Response:
    call.require_one_of(("add_project", "add_subprojects"), None)
    project = call.world.projects.add(_checked(call, _blank(call)))
    call.world.enable_modules(project, project.enabled_modules)
    inherit_members(call.world, project)
    members = {one.principal_id for one in call.world.memberships_of(project)}
    if not call.viewer.admin and call.me.id not in members:
        add_member(call.world, project, call.me.id, [MemberRole(MANAGER.name)])
    fields = shown_project(call, project)
    return created({"project": fields}, f"{call.base_url}/projects/{project.id}")


def update(call: Call) -> Response:
    project = call.find_project(call.path["project_id"])
    call.require("edit_project", project)
    changed = _checked(call, project)
    if changed != project:
        changed = replace(changed, updated_on=call.world.now())
    call.world.projects.put(changed)
    for name in set(project.enabled_modules) - set(changed.enabled_modules):
        call.world.module_ids.pop((project.id, name), None)
    call.world.enable_modules(changed, changed.enabled_modules)
    before = (project.parent_id, project.inherit_members)
    if before != (changed.parent_id, changed.inherit_members):
        stop_inheriting_members(call.world, changed)
        inherit_members(call.world, changed)
    return done()


def destroy(call: Call) -> Response:
    """Delete a project with all that is in it; only an administrator deletes subprojects too."""
    project = call.find_project(call.path["project_id"])
    below = list(call.world.subprojects(project))
    may = call.viewer.allowed("delete_project", project) and not below
    if not (call.viewer.admin or may):
        deny(call.viewer)
    for one in (project, *below):
        _empty(call, one)
    return done()


def close(call: Call) -> Response:
    return _switch(call, "close_project", ACTIVE, CLOSED)


def reopen(call: Call) -> Response:
    return _switch(call, "close_project", CLOSED, ACTIVE)


def archive(call: Call) -> Response:
    project = _administrated(call)
    for one in (project, *call.world.subprojects(project)):
        archived = replace(one, status=ARCHIVED, updated_on=call.world.now())
        call.world.projects.put(archived)
    return done()


def unarchive(call: Call) -> Response:
    project = _administrated(call)
    above = list(call.world.superprojects(project))
    status = CLOSED if any(one.status == CLOSED for one in above) else ACTIVE
    for one in (project, *above):
        if one.status == ARCHIVED:
            call.world.projects.put(replace(one, status=status))
    return done()


def _switch(call: Call, permission: str, old: int, new: int) -> Response:
    project = call.find_project(call.path["project_id"])
    call.require(permission, project)
    for one in (project, *call.world.subprojects(project)):
        if one.status == old:
            call.world.projects.put(replace(one, status=new))
    return done()


def _administrated(call: Call) -> Project:
    project = call.find_project(call.path["project_id"])
    if not call.viewer.admin:
        deny(call.viewer)
    return project


def _blank(call: Call) -> Project:
    now = call.world.now()
    return Project(
        id=0,
        identifier="",
        name="",
        description=None,
        homepage="",
        is_public=True,
        parent_id=None,
        enabled_modules=MODULES,
        tracker_ids=[tracker.id for tracker in reference.TRACKERS],
        issue_custom_field_ids=list(call.world.custom_fields),
        created_on=now,
        updated_on=now,
    )


def _checked(call: Call, project: Project) -> Project:
    """The project as it is wished to be.

    Raises:
        HaltError: 422, it cannot be.
    """
    given = call.attributes("project")
    if "enabled_module_names" in given:
        given["enabled_modules"] = given["enabled_module_names"]
    if project.id:
        given.pop("identifier", None)  # it never changes
    wished: dict[str, Any] = {
        name: read(given[name])
        for name, read in READERS.items()
        if name in given and _may_set(call, project, name)
    }
    parent_is_valid = _takes_parent(call, project, given, wished)
    changed = replace(project, **wished)
    if complaints := list(_complaints(call, project, changed, parent_is_valid)):
        invalid(complaints)
    return changed


def _may_set(call: Call, project: Project, name: str) -> bool:
    permission = PERMISSIONS.get(name)
    if permission is None:
        return True
    if project.id:
        return call.viewer.allowed(permission, project)
    # Whoever creates a project will be its manager.
    return call.viewer.admin or permission in MANAGER.permissions


def _takes_parent(
    call: Call, project: Project, given: Mapping[str, Any], wished: dict[str, Any]
) -> bool:
    """Whether the project may go where it is wished to (``Project#allowed_parents``)."""
    wish = given.get("parent_id") if "parent_id" in given else None
    if project.id and ("parent_id" not in given or wished.get("parent_id") == project.parent_id):
        wished.pop("parent_id", None)
        return True
    parent = call.world.projects.get(wished.get("parent_id") or 0)
    if not values.blank(wish) and parent is None:
        # Redmine 6.1 asks whether nothing may be seen, and stumbles.
        server_error()
    if parent is None:
        allowed = call.viewer.allowed_anywhere("add_project") or (
            bool(project.id) and project.parent_id is None
        )
    else:
        family = {project.id, *(one.id for one in call.world.subprojects(project))}
        allowed = parent.id not in family and call.viewer.finds("add_subprojects", parent)
    if not allowed:
        wished.pop("parent_id", None)
    return allowed


def _complaints(
    call: Call, before: Project, project: Project, parent_is_valid: bool
) -> Iterator[str]:
    identifier = project.identifier
    if values.blank(project.name):
        yield "Name cannot be blank"
    if values.blank(identifier):
        yield "Identifier cannot be blank"
    if identifier and not before.id and call.world.project(identifier):
        yield "Identifier has already been taken"
    if len(project.name) > MAX_TEXT:
        yield f"Name is too long (maximum is {MAX_TEXT} characters)"
    if len(project.homepage) > MAX_TEXT:
        yield f"Homepage is too long (maximum is {MAX_TEXT} characters)"
    if len(identifier) > MAX_IDENTIFIER:
        yield f"Identifier is too long (maximum is {MAX_IDENTIFIER} characters)"
    if identifier and not re.fullmatch(r"(?!\d+$)[a-z0-9\-_]*", identifier):
        yield "Identifier is invalid"
    if identifier in RESERVED:
        yield "Identifier is reserved"
    if not parent_is_valid:
        yield "Subproject of is invalid"


def _empty(call: Call, project: Project) -> None:
    world = call.world
    gone = {one.id for one in world.issues.values() if one.project_id == project.id}
    world.issue_relations.delete_where(
        lambda one: bool({one.issue_from_id, one.issue_to_id} & gone)
    )
    world.journals.delete_where(lambda one: one.issue_id in gone)
    world.attachments.delete_where(lambda one: one.issue_id in gone)
    world.time_entries.delete_where(lambda one: one.project_id == project.id)
    world.issues.delete_where(lambda one: one.id in gone)
    world.versions.delete_where(lambda one: one.project_id == project.id)
    world.categories.delete_where(lambda one: one.project_id == project.id)
    world.memberships.delete_where(lambda one: one.project_id == project.id)
    world.projects.delete_where(lambda one: one.id == project.id)
