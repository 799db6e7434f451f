"""Members, and the roles that flow down from groups and parent projects (``Member``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from redmine_mcp_sandbox.seed import MemberRole, Membership, Project
from redmine_mcp_sandbox.world import World


def add_member(
    world: World, project: Project, principal_id: int, roles: Sequence[MemberRole]
) -> Membership:
    """Make somebody a member; those who inherit from it become members too."""
    membership = world.memberships.add(Membership(0, project.id, principal_id, roles))
    _hand_down(world, membership)
    return membership


def give_roles(world: World, membership: Membership, names: Iterable[str]) -> Membership:
    """Let a membership have these roles of its own; what it has inherited stays."""
    wished = list(dict.fromkeys(names))
    kept = [one for one in membership.member_roles if one.inherited_from or one.name in wished]
    known = {one.name for one in kept}
    added = [MemberRole(name) for name in wished if name not in known]
    changed = world.memberships.put(replace(membership, member_roles=[*kept, *added]))
    _hand_down(world, changed)
    return changed


def remove_member(world: World, membership: Membership) -> None:
    """End a membership, and what others have inherited from it."""
    del world.memberships[membership.id]
    for category in list(world.categories.values()):
        place = (category.project_id, category.assigned_to_id)
        if place == (membership.project_id, membership.principal_id):
            world.categories.put(replace(category, assigned_to_id=None))
    for heir in _with_roles_from(world, membership):
        _set_inherited(world, heir, membership, ())


def inherit_members(world: World, project: Project) -> None:
    """Hand down the members of the parent project, if the project inherits them."""
    if project.inherit_members and project.parent_id:
        for membership in world.memberships_of(world.projects[project.parent_id]):
            _hand_down(world, membership)


def stop_inheriting_members(world: World, project: Project) -> None:
    """Take back what came from other projects' memberships."""
    for membership in world.memberships_of(project):
        for origin_id in {one.inherited_from for one in membership.member_roles}:
            origin = world.memberships.get(origin_id or 0)
            current = world.memberships.get(membership.id)
            if origin and current and origin.project_id != project.id:
                _set_inherited(world, current, origin, ())


def _hand_down(world: World, membership: Membership) -> None:
    for project_id, principal_id in _heirs(world, membership):
        found = (
            one
            for one in world.memberships.values()
            if (one.project_id, one.principal_id) == (project_id, principal_id)
        )
        heir = next(found, None)
        if heir is None:
            heir = world.memberships.add(Membership(0, project_id, principal_id, ()))
        _set_inherited(world, heir, membership, membership.roles)


def _heirs(world: World, membership: Membership) -> Iterator[tuple[int, int]]:
    group = world.groups.get(membership.principal_id)
    for user_id in group.user_ids if group else ():
        yield membership.project_id, user_id
    for project in world.projects.values():
        if project.parent_id == membership.project_id and project.inherit_members:
            yield project.id, membership.principal_id


def _set_inherited(
    world: World, heir: Membership, origin: Membership, names: Iterable[str]
) -> None:
    """Let what a membership has from another one be these roles."""
    wished = list(names)
    others = [one for one in heir.member_roles if one.inherited_from != origin.id]
    before = [one for one in heir.member_roles if one.inherited_from == origin.id]
    kept = [one for one in before if one.name in wished]
    known = {one.name for one in (*others, *kept) if one.inherited_from}
    added = [MemberRole(name, origin.id) for name in wished if name not in known]
    keep = [one for one in heir.member_roles if one in others or one in kept]
    if not keep and not added:
        remove_member(world, heir)
        return
    changed = world.memberships.put(replace(heir, member_roles=[*keep, *added]))
    if kept != before or added:
        _hand_down(world, changed)


def _with_roles_from(world: World, origin: Membership) -> list[Membership]:
    return [
        one
        for one in world.memberships.values()
        if any(role.inherited_from == origin.id for role in one.member_roles)
    ]
