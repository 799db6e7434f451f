"""The tools for who belongs to a project, in which roles."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from redmine_mcp_core import (
    BadArgument,
    CurrentRedmine,
    Invalid,
    Redmine,
    Result,
    confirmed,
    find_name,
    line,
    quoted,
)
from redmine_mcp_projects.details import member_name
from redmine_mcp_projects.finding import path_of, principal_id
from redmine_mcp_projects.managing import Confirm, Project
from redmine_mcp_projects.paging import PAGE, Page, told
from redmine_mcp_projects.plugin import plugin
from redmine_mcp_projects.writing import Change, Written

Who = Annotated[str, Field(description='User or group: name, id or "me"')]
Roles = Annotated[tuple[str, ...], Field(min_length=1, description="All of them, by name or id")]
SCOPES = {"view_project", "view_members", "manage_members"}


class Member(BaseModel):
    """A user or a group in a project."""

    name: str
    roles: tuple[str, ...]
    inherited: tuple[str, ...] = ()
    """Those of the roles that come from a group or from the parent project."""


class MemberList(Result):
    """A page of a project's members."""

    total: int
    members: list[Member]
    page: int = 1

    def text(self) -> str:
        rows = [
            f"{member.name}: "
            + ", ".join(
                f"{role} (inherited)" if role in member.inherited else role for role in member.roles
            )
            for member in self.members
        ]
        return told(rows, total=self.total, page=self.page, nothing="No members.")


@plugin.tool(
    title="List members", scopes={"view_members", "view_project"}, read_only=True, listed=False
)
async def list_members(
    project: Project, page: Page = 1, redmine: Redmine = CurrentRedmine()
) -> MemberList:
    """List the users and groups of a project with their roles."""
    found = await redmine.project(project)
    answer = await redmine.get(path_of(found, "memberships"), limit=PAGE, offset=(page - 1) * PAGE)
    members = [_member(item) for item in answer["memberships"]]
    return MemberList(total=answer["total_count"], members=members, page=page)


@plugin.tool(title="Add a member", scopes=SCOPES, listed=False)
async def add_member(
    project: Project, user: Who, roles: Roles, redmine: Redmine = CurrentRedmine()
) -> Written:
    """Add a user or a group to a project, in one role or several."""
    found = await redmine.project(project)
    wanted = await _ids(redmine, roles)
    body = {"user_id": await principal_id(redmine, user), "role_ids": wanted}
    answer = await redmine.post(path_of(found, "memberships"), {"membership": body})
    redmine.forget_names("members", found["id"])
    return await _written(redmine, "Member added", found, wanted, {}, answer["membership"])


@plugin.tool(title="Change a member's roles", scopes=SCOPES, listed=False)
async def update_member(
    project: Project, user: Who, roles: Roles, redmine: Redmine = CurrentRedmine()
) -> Written:
    """Change the roles of a user or a group in a project."""
    found, before = await _find(redmine, project, user)
    wanted = await _ids(redmine, roles)
    path = f"/memberships/{before['id']}.json"
    await redmine.put(path, {"membership": {"role_ids": wanted}})
    redmine.forget_names("members", found["id"])
    after = (await redmine.get(path))["membership"]
    return await _written(redmine, "Member changed", found, wanted, before, after)


@plugin.tool(title="Remove a member", scopes=SCOPES, destroys=True, listed=False)
async def remove_member(
    project: Project,
    user: Who,
    confirm: Confirm = False,
    redmine: Redmine = CurrentRedmine(),
) -> Written:
    """Take a user or a group out of a project."""
    found, membership = await _find(redmine, project, user)
    name = f"{member_name(membership)} in {line(found['name'])}"
    inherited = "Roles from a group or the parent project cannot be taken away here."
    if all(role.get("inherited") for role in membership["roles"]):
        raise BadArgument(inherited)
    await confirmed(
        f"Remove this member from the project?\n{quoted(name)}",
        confirm=confirm,
    )
    try:
        await redmine.delete(f"/memberships/{membership['id']}.json")
    except Invalid:  # 422 without a word (Member#deletable?)
        raise BadArgument(inherited) from None
    redmine.forget_names("members", found["id"])
    return Written(what="Member removed", name=name)


async def _find(redmine: Redmine, project: str, user: str) -> tuple[dict[str, Any], dict[str, Any]]:
    found = await redmine.project(project)
    wanted = user
    if user.strip().casefold() == "me":
        wanted = str(await principal_id(redmine, user))
    known = {
        principal["id"]: (principal["name"], membership)
        for membership in await redmine.all(path_of(found, "memberships"), "memberships")
        if (principal := membership.get("user") or membership.get("group"))
    }
    number = find_name("members", {key: name for key, (name, _) in known.items()}, wanted)
    return found, known[number][1]


async def _ids(redmine: Redmine, roles: tuple[str, ...]) -> list[int]:
    return [await redmine.id_of("roles", role) for role in roles]


async def _written(
    redmine: Redmine,
    what: str,
    project: dict[str, Any],
    wanted: list[int],
    before: dict[str, Any],
    after: dict[str, Any],
) -> Written:
    old, new = _roles(before), _roles(after)
    names = await redmine.names("roles")
    missing = [line(names[number]) for number in wanted if line(names[number]) not in new]
    kept = [
        line(role["name"])
        for role in after["roles"]
        if role["id"] not in wanted and role.get("inherited")
    ]
    return Written(
        what=what if old != new else "Member unchanged",
        name=f"{member_name(after)} in {line(project['name'])}",
        changed={"roles": Change(before=", ".join(old), after=", ".join(new))}
        if old != new
        else {},
        not_taken={"roles": ", ".join(missing)} if missing else {},
        kept=f"Inherited and kept: {', '.join(kept)}." if kept else "",
    )


def _roles(membership: dict[str, Any]) -> list[str]:
    return sorted({line(role["name"]) for role in membership.get("roles", ())})


def _member(membership: dict[str, Any]) -> Member:
    roles = membership["roles"]
    return Member(
        name=member_name(membership),
        roles=tuple(dict.fromkeys(line(role["name"]) for role in roles)),
        inherited=tuple(
            dict.fromkeys(line(role["name"]) for role in roles if role.get("inherited"))
        ),
    )
