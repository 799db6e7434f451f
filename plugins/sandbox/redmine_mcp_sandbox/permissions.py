"""Who may see and do what: role permissions, limited by the token's scopes where Redmine does so.

Redmine asks in three ways, and only one of them knows scopes. A question about one project
(``User#allowed_to?``) takes role AND scope; a query over many (``Project.allowed_to_condition``)
and an issue's own rules (``Issue#user_tracker_permission?``) take the role alone. That is why a
search with a narrow token finds what it cannot open, and why a token that may only add notes can
change a subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from redmine_mcp_sandbox import roles
from redmine_mcp_sandbox.roles import ROLES, Role
from redmine_mcp_sandbox.seed import (
    ACTIVE,
    ARCHIVED,
    Group,
    Issue,
    Membership,
    Project,
    TimeEntry,
    User,
)
from redmine_mcp_sandbox.world import World


def permits(project: Project, permission: str) -> bool:
    """Whether a project's status and modules leave room for it (``Project#allows_to?``)."""
    if project.status == ARCHIVED:
        return False
    if project.status != ACTIVE and permission not in roles.ALLOWED_WHEN_CLOSED:
        return False
    module = roles.MODULE_OF.get(permission)
    return module is None or module in project.enabled_modules


@dataclass(frozen=True, slots=True)
class Viewer:
    """The user behind a request; without a user, anonymous."""

    world: World
    user: User | None = None
    scopes: frozenset[str] | None = None
    """The token's scopes; None for an API key or a password, which are not limited."""

    @property
    def by_oauth(self) -> bool:
        return self.scopes is not None

    @property
    def admin(self) -> bool:
        """Whether the user acts as an administrator: by OAuth only with the scope ``admin``."""
        if self.user is None or not self.user.admin:
            return False
        return self.scopes is None or "admin" in self.scopes

    def is_me(self, user_id: int | None) -> bool:
        return self.user is not None and self.user.id == user_id

    def memberships(self, principal: User | Group | None = None) -> list[Membership]:
        """A principal's memberships; without one, the user's own."""
        principal = principal or self.user
        if principal is None:
            return []
        return [m for m in self.world.memberships.values() if m.principal_id == principal.id]

    def roles_in(self, project: Project) -> list[Role]:
        """The user's roles in a project; for somebody who is no member, the built-in one."""
        if project.status == ARCHIVED:
            return []
        names = [n for m in self.memberships() if m.project_id == project.id for n in m.roles]
        if names:
            return [ROLES[name] for name in names]
        return [self._builtin_role] if project.is_public else []

    def allowed(self, permission: str, project: Project) -> bool:
        """Answer by role and scope (``User#allowed_to?`` with a project)."""
        return permits(project, permission) and (
            self.admin or any(self._grants(role, permission) for role in self.roles_in(project))
        )

    def allowed_one_of(self, permissions: Iterable[str], project: Project) -> bool:
        """Whether one of several permissions opens an action."""
        return any(self.allowed(permission, project) for permission in permissions)

    def allowed_anywhere(self, permission: str) -> bool:
        """Answer by role and scope (``User#allowed_to?`` with ``global``)."""
        return self.admin or any(
            self._grants(role, permission) for role in [*self._all_roles(), self._builtin_role]
        )

    def holds(self, permission: str, project: Project) -> bool:
        """Answer by role alone (``Issue#user_tracker_permission?``)."""
        if project.status != ACTIVE and permission not in roles.ALLOWED_WHEN_CLOSED:
            return False
        return self.admin or any(permission in r.permissions for r in self.roles_in(project))

    def finds(self, permission: str, project: Project) -> bool:
        """Answer by role alone (``Project.allowed_to_condition``)."""
        return permits(project, permission) and (
            self.admin or any(permission in r.permissions for r in self.roles_in(project))
        )

    def finds_project(self, project: Project) -> bool:
        """Whether a query over projects returns this one; scopes do not count."""
        return self.finds("view_project", project)

    def finds_private_notes(self, project: Project) -> bool:
        """Whether a search looks into a project's private notes; scopes do not count."""
        return self.finds("view_private_notes", project)

    def finds_issue(self, issue: Issue) -> bool:
        """Whether a query over issues returns this one; scopes do not count."""
        project = self.world.projects[issue.project_id]
        return permits(project, "view_issues") and (
            self.admin
            or any(
                "view_issues" in role.permissions and self._shows(role, issue)
                for role in self.roles_in(project)
            )
        )

    def may_open(self, issue: Issue) -> bool:
        """Answer by role and scope (``Issue#visible?``)."""
        project = self.world.projects[issue.project_id]
        return permits(project, "view_issues") and (
            self.admin
            or any(
                self._grants(role, "view_issues") and self._shows(role, issue)
                for role in self.roles_in(project)
            )
        )

    def may_edit(self, issue: Issue) -> bool:
        """Whether the attributes may change (``Issue#attributes_editable?``): by role alone."""
        project = self.world.projects[issue.project_id]
        return self.holds("edit_issues", project) or (
            self.is_me(issue.author_id) and self.holds("edit_own_issues", project)
        )

    def may_comment(self, issue: Issue) -> bool:
        """Whether notes may be added (``Issue#notes_addable?``): by role alone."""
        return self.holds("add_issue_notes", self.world.projects[issue.project_id])

    def may_edit_time(self, entry: TimeEntry) -> bool:
        """Answer by role and scope (``TimeEntry#editable_by?``)."""
        project = self.world.projects[entry.project_id]
        own = self.is_me(entry.user_id) and self.allowed("edit_own_time_entries", project)
        return self.allowed("view_time_entries", project) and (
            own or self.allowed("edit_time_entries", project)
        )

    def finds_principal(self, principal: User | Group) -> bool:
        """Whether a user or a group is visible (``Principal.visible``); scopes do not count."""
        if self.admin:
            return True
        if principal.id in self.world.locked:
            return False
        if any(role.users_visibility == "all" for role in self._all_roles()):
            return True
        theirs = (self.world.projects[m.project_id] for m in self.memberships(principal))
        return principal == self.user or any(map(self.finds_project, theirs))

    def workflow_roles(self, project: Project) -> Iterator[Role]:
        """The roles whose transitions count; an administrator has all of them."""
        administrates = self.user is not None and self.user.admin
        mine = roles.GIVABLE_ROLES if administrates else self.roles_in(project)
        return (role for role in mine if role.considers_workflow)

    @property
    def _builtin_role(self) -> Role:
        return roles.ANONYMOUS if self.user is None else roles.NON_MEMBER

    def _all_roles(self) -> list[Role]:
        projects = self.world.projects
        return [
            ROLES[name]
            for membership in self.memberships()
            if projects[membership.project_id].status != ARCHIVED
            for name in membership.roles
        ]

    def _grants(self, role: Role, permission: str) -> bool:
        # No scopes at all limit nothing: Redmine's `scope.present? ? unscoped & scope : unscoped`.
        return permission in role.permissions and (not self.scopes or permission in self.scopes)

    def _shows(self, role: Role, issue: Issue) -> bool:
        if not issue.is_private or role.issues_visibility == "all":
            return True
        if self.user is None:
            return False
        mine = {self.user.id, *self.world.group_ids(self.user)}
        return issue.author_id == self.user.id or issue.assigned_to_id in mine
