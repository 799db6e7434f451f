"""/projects/:id/issue_categories and /issue_categories/:id (IssueCategoriesController)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import Call, created, done, invalid, named
from redmine_mcp_sandbox.seed import IssueCategory, Project
from redmine_mcp_sandbox.writing import values

READ = ("view_issues", "manage_categories")
MAX_NAME = 60


def index(call: Call) -> dict[str, Any]:
    project = call.find_project(call.path["project_id"])
    call.require_one_of(READ, project)
    found = [one for one in call.world.categories.values() if one.project_id == project.id]
    shown = [_fields(call, one) for one in sorted(found, key=lambda one: one.name)]
    return {"issue_categories": shown, "total_count": len(shown)}


def show(call: Call) -> dict[str, Any]:
    category, project = _found(call)
    call.require_one_of(READ, project)
    return {"issue_category": _fields(call, category)}


def create(call: Call) -> Response:
    project = call.find_project(call.path["project_id"])
    call.require("manage_categories", project)
    category = call.world.categories.add(_checked(call, IssueCategory(0, project.id, "", None)))
    # The only location that Redmine gives without its own address.
    return created({"issue_category": _fields(call, category)}, f"/issue_categories/{category.id}")


def update(call: Call) -> Response:
    category, project = _found(call)
    call.require("manage_categories", project)
    call.world.categories.put(_checked(call, category))
    return done()


def destroy(call: Call) -> Response:
    category, project = _found(call)
    call.require("manage_categories", project)
    heir = call.world.categories.get(values.integer(call.params.get("reassign_to_id")) or 0)
    if heir is None or heir.project_id != project.id:
        heir = None
    for issue in list(call.world.issues.values()):
        if issue.category_id == category.id:
            call.world.issues.put(replace(issue, category_id=heir.id if heir else None))
    del call.world.categories[category.id]
    return done()


def _found(call: Call) -> tuple[IssueCategory, Project]:
    category = call.find(call.world.categories, call.path["id"])
    return category, call.world.projects[category.project_id]


def _checked(call: Call, category: IssueCategory) -> IssueCategory:
    given = call.attributes("issue_category")
    wished = replace(
        category,
        name=values.text(given.get("name", category.name)),
        assigned_to_id=values.integer(given.get("assigned_to_id", category.assigned_to_id)),
    )
    if complaints := list(_complaints(call, wished)):
        invalid(complaints)
    return wished


def _complaints(call: Call, category: IssueCategory) -> Iterator[str]:
    place = (category.project_id, category.name)
    others = (one for one in call.world.categories.values() if one.id != category.id)
    if values.blank(category.name):
        yield "Name cannot be blank"
    if any((one.project_id, one.name) == place for one in others):
        yield "Name has already been taken"
    if len(category.name) > MAX_NAME:
        yield f"Name is too long (maximum is {MAX_NAME} characters)"


def _fields(call: Call, category: IssueCategory) -> dict[str, Any]:
    assignee_id = category.assigned_to_id or 0
    assignee = call.world.users.get(assignee_id) or call.world.groups.get(assignee_id)
    return {
        "id": category.id,
        "project": named(call.world.projects[category.project_id]),
        "name": category.name,
        **({"assigned_to": named(assignee)} if assignee else {}),
    }
