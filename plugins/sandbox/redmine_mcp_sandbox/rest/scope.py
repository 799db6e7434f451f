"""Which projects a list covers: the one it names, with its subprojects, or all."""

from __future__ import annotations

from redmine_mcp_sandbox.rest.call import Call, not_found
from redmine_mcp_sandbox.seed import Project


def project_of(call: Call) -> Project | None:
    """The project that a call names, in its address or beside (``find_optional_project``)."""
    reference = call.path.get("project_id") or call.params.get("project_id")
    if not reference:
        return None
    project = call.world.project(str(reference))
    if project is None:
        # Somebody unknown is asked to sign in first.
        call.require_login()
        not_found()
    return project


def subproject_ids(call: Call, project: Project) -> set[int]:
    """The subprojects that are listed too: all, unless ``subproject_id`` says otherwise."""
    ids = {child.id for child in call.world.subprojects(project)}
    wanted = call.query.get("subproject_id", "*")
    if wanted == "*":
        return ids
    return set() if wanted == "!*" else ids & {int(part) for part in wanted.split("|")}
