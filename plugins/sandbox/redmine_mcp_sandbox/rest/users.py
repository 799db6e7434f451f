"""GET /my/account, /users/current and /users/:id."""

from __future__ import annotations

from typing import Any

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.rest.call import Call, deny, named, not_found, to_i
from redmine_mcp_sandbox.rest.memberships import role_fields
from redmine_mcp_sandbox.seed import Membership, User


def account(call: Call) -> dict[str, Any]:
    call.require_login()
    user = _current(call.viewer)
    return {
        "user": {
            "id": user.id,
            "login": user.login,
            "admin": call.viewer.admin,
            "firstname": user.firstname,
            "lastname": user.lastname,
            "mail": user.mail,
            "created_on": user.created_on,
            "last_login_on": call.world.last_login_on.get(user.id),
            **({} if call.viewer.by_oauth else {"api_key": user.api_key}),
        }
    }


def index(call: Call) -> dict[str, Any]:
    """All users, for administrators: active ones, unless a status is asked for."""
    if not call.viewer.admin:
        deny(call.viewer)
    status, name = call.query.get("status") or "1", call.query.get("name", "")
    group = call.world.groups.get(to_i(call.query.get("group_id", "")))
    found = [
        user
        for user in call.world.users.values()
        if status in ("*", _status(call, user))
        and (group is None or user.id in group.user_ids)
        and all(word in _searchable(user) for word in name.lower().split())
    ]
    found.sort(key=lambda user: user.login)
    shown = [_listed(call, user) for user in call.cut(found)]
    return call.paged("users", shown, len(found))


def current(call: Call) -> dict[str, Any]:
    call.require_login()
    # Here the flag is what the token's scopes leave of it; by id it is the stored one.
    return {"user": _user(call, _current(call.viewer), admin_flag=call.viewer.admin)}


def show(call: Call) -> dict[str, Any]:
    user = call.world.users.get(to_i(call.path["id"]))
    if user is None or not call.viewer.finds_principal(user):
        not_found()
    return {"user": _user(call, user, admin_flag=user.admin)}


def _current(viewer: Viewer) -> User:
    assert viewer.user is not None  # noqa: S101 - require_login has been asked
    return viewer.user


def _status(call: Call, user: User) -> str:
    return "3" if user.id in call.world.locked else "1"


def _searchable(user: User) -> str:
    return " ".join((user.login, user.firstname, user.lastname, user.mail)).lower()


def _listed(call: Call, user: User) -> dict[str, Any]:
    hidden = ("api_key", "groups", "memberships")
    fields = _user(call, user, admin_flag=user.admin)
    return {name: value for name, value in fields.items() if name not in hidden}


def _user(call: Call, user: User, *, admin_flag: bool) -> dict[str, Any]:
    """A user as ``users/show.api.rsb`` shows it; administrators see more."""
    admin = call.viewer.admin
    self_or_admin = admin or user == call.viewer.user
    shown = {
        "id": (True, user.id),
        "login": (True, user.login),
        "admin": (self_or_admin, admin_flag),
        "firstname": (True, user.firstname),
        "lastname": (True, user.lastname),
        "mail": (admin, user.mail),
        "created_on": (True, user.created_on),
        "updated_on": (True, user.updated_on),
        "last_login_on": (True, call.world.last_login_on.get(user.id)),
        "passwd_changed_on": (True, user.created_on),
        "twofa_scheme": (self_or_admin, None),
        "api_key": (admin or (self_or_admin and not call.viewer.by_oauth), user.api_key),
        "status": (admin, int(_status(call, user))),
    }
    fields = {name: value for name, (visible, value) in shown.items() if visible}
    if admin and "groups" in call.includes:
        groups = (call.world.groups[group_id] for group_id in call.world.group_ids(user))
        fields["groups"] = [named(group) for group in groups]
    if "memberships" in call.includes:
        fields["memberships"] = [
            _membership(call, membership)
            for membership in call.viewer.memberships(user)
            if call.viewer.finds_project(call.world.projects[membership.project_id])
        ]
    return fields


def _membership(call: Call, membership: Membership) -> dict[str, Any]:
    return {
        "id": membership.id,
        "project": named(call.world.projects[membership.project_id]),
        "roles": role_fields(membership),
    }
