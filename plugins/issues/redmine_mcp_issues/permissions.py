"""What the caller may do in a project, as far as Redmine tells.

It answers 204 to a write and drops what the role does not allow. The roles themselves can be read
by everybody (``GET /roles/:id``), and one's own are told with the memberships.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Iterable, Mapping

from redmine_mcp_core import Caller, Redmine

NON_MEMBER = 1
"""The built-in role of whoever is no member; Redmine's setup makes it first
(``Role.non_member`` in db/migrate/001_setup.rb), and its list of roles leaves it out."""

NEEDED: Mapping[str, tuple[str, ...]] = {
    "private": ("set_issues_private", "set_own_issues_private"),
    "parent": ("manage_subtasks",),
    "watchers": ("add_issue_watchers",),
    "-watchers": ("delete_issue_watchers",),
    "relations": ("manage_issue_relations",),
    "notes": ("add_issue_notes",),
    "private_notes": ("set_notes_private",),
    "log_hours": ("log_time",),
}
"""By argument, the permissions of which one is needed (app/models/issue.rb, ``safe_attributes``,
and lib/redmine/preparation.rb)."""

EDITING = ("edit_issues", "edit_own_issues")
"""One of these for every other attribute. Redmine looks at the role alone and not at the scopes
of the sign-in here (``Issue#user_tracker_permission?``), so this server looks at them."""

OWN = frozenset({"edit_own_issues", "set_own_issues_private"})
"""These count for one's own issues only."""


def needed_for(argument: str, *, new: bool) -> tuple[str, ...]:
    """The permissions of which one is needed to give this argument."""
    return NEEDED.get(argument, ("add_issues",) if new else EDITING)


def lacking(arguments: Iterable[str], held: frozenset[str], *, new: bool) -> dict[str, list[str]]:
    """Which arguments none of these permissions allows: needed permissions to arguments."""
    found: dict[str, list[str]] = {}
    for argument in arguments:
        needed = needed_for(argument, new=new)
        if held.isdisjoint(needed):
            found.setdefault(" or ".join(needed), []).append(argument.removeprefix("-"))
    return found


async def permissions_in(
    redmine: Redmine,
    caller: Caller,
    project_id: int,
    *,
    author_id: int | None = None,
    fresh: bool = False,
) -> frozenset[str]:
    """The permissions that both the caller's roles in a project and this sign-in hold.

    ``author_id`` is the issue's; None stands for an issue that the caller is about to make. What
    Redmine says of roles may be five minutes old, unless ``fresh``. Raises ``RedmineError``.
    """
    if fresh:
        redmine.forget_names("current_user")
    (user,) = await redmine.reference("current_user")
    if user.get("admin"):  # and the sign-in has the scope of that name, or Redmine says false
        return frozenset(needed for group in (*NEEDED.values(), EDITING) for needed in group) | {
            "add_issues"
        }
    roles = {
        role["id"]
        for membership in user.get("memberships", ())
        if membership["project"]["id"] == project_id
        for role in membership["roles"]
    }
    roles = roles or {NON_MEMBER}
    if fresh:
        for key in roles:
            redmine.forget_names("role", key)
    answers = await gather(*(redmine.reference("role", key) for key in roles))
    held = {permission for (role,) in answers for permission in role["permissions"]}
    if author_id not in {None, user["id"]}:
        held -= OWN
    return frozenset(held) & caller.scopes
