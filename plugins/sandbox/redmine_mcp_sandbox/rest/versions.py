"""/projects/:id/versions and /versions/:id (Redmine's VersionsController)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, created, done, invalid, named, refused
from redmine_mcp_sandbox.seed import Project, Version
from redmine_mcp_sandbox.writing import values

STATUSES = ("open", "locked", "closed")
SHARINGS = ("none", "descendants", "hierarchy", "tree", "system")
MAX_NAME = 60
MAX_TEXT = 255
READERS = {
    "name": values.text,
    "description": values.text,
    "status": values.text,
    "due_date": values.day,
    "sharing": values.text,
    "wiki_page_title": values.optional_text,
}


def index(call: Call) -> dict[str, Any]:
    project = call.find_project(call.path["project_id"])
    call.require("view_issues", project)
    found = [_fields(call, one) for one in call.world.shared_versions(project)]
    return {"versions": found, "total_count": len(found)}


def show(call: Call) -> dict[str, Any]:
    version, project = _found(call)
    call.require("view_issues", project)
    return {"version": _shown(call, version)}


def create(call: Call) -> Response:
    project = call.find_project(call.path["project_id"])
    call.require("manage_versions", project)
    now = call.world.now()
    version = Version(0, project.id, "", "open", None, "", "none", now, now)
    version = call.world.versions.add(_checked(call, version, project))
    _make_default(call, version, project)
    return created({"version": _shown(call, version)}, f"{call.base_url}/versions/{version.id}")


def update(call: Call) -> Response:
    version, project = _found(call)
    call.require("manage_versions", project)
    changed = _checked(call, version, project)
    if changed != version:
        call.world.versions.put(replace(changed, updated_on=call.world.now()))
    _make_default(call, changed, project)
    if SHARINGS.index(changed.sharing) < SHARINGS.index(version.sharing):
        _withdraw(call, changed)
    return done()


def destroy(call: Call) -> Response:
    version, project = _found(call)
    call.require("manage_versions", project)
    if any(one.fixed_version_id == version.id for one in call.world.issues.values()):
        refused()
    del call.world.versions[version.id]
    if project.default_version_id == version.id:
        call.world.projects.put(replace(project, default_version_id=None))
    return done()


def _found(call: Call) -> tuple[Version, Project]:
    version = call.find(call.world.versions, call.path["id"])
    return version, call.world.projects[version.project_id]


def _checked(call: Call, version: Version, project: Project) -> Version:
    """The version as it is wished to be.

    Raises:
        HaltError: 422, it cannot be.
    """
    given = call.attributes("version")
    wished: dict[str, Any] = {
        name: read(given[name]) for name, read in READERS.items() if name in given
    }
    if wished.get("sharing") not in _allowed_sharings(call, version, project):
        wished.pop("sharing", None)
    if complaints := list(_complaints(call, version, wished)):
        invalid(complaints)
    return replace(version, **wished)


def _allowed_sharings(call: Call, version: Version, project: Project) -> set[str]:
    """How far the viewer may share: with everybody only an administrator."""
    root = [project, *call.world.superprojects(project)][-1]
    manages_tree = call.viewer.allowed("manage_versions", root)
    allowed = {
        "none": True,
        "descendants": True,
        "hierarchy": manages_tree,
        "tree": manages_tree,
        "system": call.viewer.admin,
    }
    return {name for name, may in allowed.items() if may} | {version.sharing}


def _complaints(call: Call, version: Version, wished: Mapping[str, Any]) -> Iterator[str]:
    name = wished.get("name", version.name)
    taken = any(
        (one.project_id, one.name) == (version.project_id, name) and one.id != version.id
        for one in call.world.versions.values()
    )
    if values.blank(name):
        yield "Name cannot be blank"
    if taken:
        yield "Name has already been taken"
    if len(name) > MAX_NAME:
        yield f"Name is too long (maximum is {MAX_NAME} characters)"
    if len(wished.get("description", "")) > MAX_TEXT:
        yield f"Description is too long (maximum is {MAX_TEXT} characters)"
    if wished.get("due_date") is values.UNREADABLE:
        yield "Due date is not a valid date"
    if wished.get("status", "open") not in STATUSES:
        yield "Status is not included in the list"


def _make_default(call: Call, version: Version, project: Project) -> None:
    if call.attributes("version").get("default_project_version") in ("1", True):
        call.world.projects.put(replace(project, default_version_id=version.id))


def _withdraw(call: Call, version: Version) -> None:
    """Take the version from the issues of projects that it is no longer shared with."""
    takers = [one for one in call.world.issues.values() if one.fixed_version_id == version.id]
    for issue in takers:
        project = call.world.projects[issue.project_id]
        if version.id not in {one.id for one in call.world.shared_versions(project)}:
            call.world.issues.put(replace(issue, fixed_version_id=None))


def _fields(call: Call, version: Version) -> dict[str, Any]:
    return {
        "id": version.id,
        "project": named(call.world.projects[version.project_id]),
        "name": version.name,
        "description": version.description,
        "status": version.status,
        "due_date": version.due_date,
        "sharing": version.sharing,
        "wiki_page_title": version.wiki_page_title,
        "created_on": version.created_on,
        "updated_on": version.updated_on,
    }


def _shown(call: Call, version: Version) -> dict[str, Any]:
    """A single version also says how much work it is; the estimates are of visible issues."""
    fields = _fields(call, version)
    project = call.world.projects[version.project_id]
    if not call.viewer.allowed("view_time_entries", project):
        return fields
    issues = [one for one in call.world.issues.values() if one.fixed_version_id == version.id]
    visible = filter(call.viewer.finds_issue, issues)
    hours = {
        "estimated_hours": sum((one.estimated_hours or 0.0 for one in visible), 0.0),
        "spent_hours": sum(map(call.world.spent_hours, issues), 0.0),
    }
    stamps = {name: fields.pop(name) for name in ("created_on", "updated_on")}
    return {**fields, **hours, **stamps}
