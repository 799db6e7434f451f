"""/projects/:id/memberships and /memberships/:id (Redmine's MembersController)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import (
    Call,
    created,
    done,
    invalid,
    named,
    refused,
    server_error,
)
from redmine_mcp_sandbox.roles import ROLES, ROLES_BY_ID
from redmine_mcp_sandbox.seed import MemberRole, Membership, Project, User
from redmine_mcp_sandbox.writing import values
from redmine_mcp_sandbox.writing.membership import add_member, give_roles, remove_member

READ = ("view_members", "manage_members")


def index(call: Call) -> dict[str, Any]:
    project = call.find_project(call.path["project_id"])
    call.require_one_of(READ, project)
    found = [
        one
        for one in call.world.memberships_of(project)
        if call.world.active_principal(one.principal_id)
    ]
    found.sort(key=lambda one: one.id)
    shown = [membership_fields(call, one) for one in call.cut(found)]
    return call.paged("memberships", shown, len(found))


def show(call: Call) -> dict[str, Any]:
    membership = call.find(call.world.memberships, call.path["id"])
    call.require_one_of(READ, call.world.projects[membership.project_id])
    return {"membership": membership_fields(call, membership)}


def create(call: Call) -> Response:
    project = call.find_project(call.path["project_id"])
    call.require("manage_members", project)
    if "membership" not in call.form:
        server_error()
    given = call.attributes("membership")
    names = _role_names(given.get("role_ids"))
    if len(names) < len(set(values.integers(given.get("role_ids")))):
        server_error()
    wished = given.get("user_id", given.get("user_ids"))
    complaints: list[list[str]] = []
    saved: list[Membership] = []
    for principal_id in values.integers(wished) or [0]:
        complaints.append(_complaints(call, project, principal_id, names))
        if not complaints[-1]:
            roles = [MemberRole(name) for name in names]
            saved.append(add_member(call.world, project, principal_id, roles))
    # Of several, the first one decides what is answered.
    if complaints[0]:
        invalid(complaints[0])
    location = f"{call.base_url}/memberships/{saved[0].id}"
    return created({"membership": membership_fields(call, saved[0])}, location)


def update(call: Call) -> Response:
    membership = _managed(call)
    if "membership" in call.form:
        names = _role_names(call.attributes("membership").get("role_ids"))
        if not names and not _inherits(membership):
            # Redmine 6.1 complains, but with its last role the member is gone already.
            remove_member(call.world, membership)
            invalid(["Role cannot be empty"])
        give_roles(call.world, membership, names)
    return done()


def destroy(call: Call) -> Response:
    membership = _managed(call)
    if _inherits(membership):
        refused()
    remove_member(call.world, membership)
    return done()


def membership_fields(call: Call, membership: Membership) -> dict[str, Any]:
    principal = call.world.principal(membership.principal_id)
    kind = "user" if isinstance(principal, User) else "group"
    return {
        "id": membership.id,
        "project": named(call.world.projects[membership.project_id]),
        kind: named(principal),
        "roles": role_fields(membership),
    }


def role_fields(membership: Membership) -> list[dict[str, Any]]:
    return [
        named(ROLES[role.name]) | ({"inherited": True} if role.inherited_from else {})
        for role in membership.member_roles
    ]


def _managed(call: Call) -> Membership:
    membership = call.find(call.world.memberships, call.path["id"])
    call.require("manage_members", call.world.projects[membership.project_id])
    return membership


def _inherits(membership: Membership) -> bool:
    return any(role.inherited_from for role in membership.member_roles)


def _role_names(wish: Any) -> list[str]:
    ids = dict.fromkeys(values.integers(wish))
    return [ROLES_BY_ID[one].name for one in ids if one in ROLES_BY_ID]


def _complaints(call: Call, project: Project, principal_id: int, names: list[str]) -> list[str]:
    principal = call.world.users.get(principal_id) or call.world.groups.get(principal_id)
    taken = any(one.principal_id == principal_id for one in call.world.memberships_of(project))
    wrong = {
        "User or Group cannot be blank": principal is None,
        "User has already been taken": taken,
        "Role cannot be empty": not names,
    }
    return [complaint for complaint, is_so in wrong.items() if is_so]
