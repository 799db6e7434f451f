"""Who may see what: role permissions, limited by the token's scopes where Redmine does so.

Redmine asks in two ways, and only one of them knows scopes. A question about one record
(``User#allowed_to?``) takes role AND scope; a query over many (``Project.allowed_to_condition``)
takes the role alone. That is why a search with a narrow token finds what it cannot open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.reference import Role
from redmine_mcp_sandbox.seed import Issue, Membership, Project, User
from redmine_mcp_sandbox.world import World

ROLES = {role.name: role for role in reference.GIVABLE_ROLES}


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

    def memberships(self, user: User | None = None) -> list[Membership]:
        user = user or self.user
        if user is None:
            return []
        return [m for m in self.world.seed.memberships if m.principal_id == user.id]

    def roles_in(self, project: Project) -> list[Role]:
        """The user's roles in a project; for somebody who is no member, the built-in one."""
        names = [n for m in self.memberships() if m.project_id == project.id for n in m.roles]
        if names:
            return [ROLES[name] for name in names]
        return [self._builtin_role] if project.is_public else []

    def allowed(self, permission: str, project: Project) -> bool:
        """Answer by role and scope (``User#allowed_to?`` with a project)."""
        return self.admin or any(self._grants(role, permission) for role in self.roles_in(project))

    def allowed_anywhere(self, permission: str) -> bool:
        """Answer by role and scope (``User#allowed_to?`` with ``global``)."""
        roles = [ROLES[name] for m in self.memberships() for name in m.roles]
        return self.admin or any(
            self._grants(role, permission) for role in [*roles, self._builtin_role]
        )

    def finds_project(self, project: Project) -> bool:
        """Whether a query over projects returns this one; scopes do not count."""
        return self.admin or bool(self.roles_in(project))

    def finds_private_notes(self, project: Project) -> bool:
        """Whether a search looks into a project's private notes; scopes do not count."""
        return self.admin or any(
            "view_private_notes" in role.permissions for role in self.roles_in(project)
        )

    def finds_issue(self, issue: Issue) -> bool:
        """Whether a query over issues returns this one; scopes do not count."""
        roles = self.roles_in(self.world.projects[issue.project_id])
        return self.admin or any(
            "view_issues" in role.permissions and self._shows(role, issue) for role in roles
        )

    def may_open(self, issue: Issue) -> bool:
        """Answer by role and scope (``Issue#visible?``)."""
        roles = self.roles_in(self.world.projects[issue.project_id])
        return self.admin or any(
            self._grants(role, "view_issues") and self._shows(role, issue) for role in roles
        )

    def finds_user(self, user: User) -> bool:
        """Whether a user is visible (``Principal.visible``); scopes do not count."""
        if self.admin:
            return True
        if user.id in self.world.locked:
            return False
        roles = [ROLES[name] for m in self.memberships() for name in m.roles]
        if any(role.users_visibility == "all" for role in roles):
            return True
        theirs = (self.world.projects[m.project_id] for m in self.memberships(user))
        return user == self.user or any(map(self.finds_project, theirs))

    def workflow_roles(self, project: Project) -> Iterator[Role]:
        """The roles whose transitions count; an administrator has all of them."""
        administrates = self.user is not None and self.user.admin
        roles = reference.GIVABLE_ROLES if administrates else self.roles_in(project)
        return (role for role in roles if role.considers_workflow)

    @property
    def _builtin_role(self) -> Role:
        return reference.ANONYMOUS if self.user is None else reference.NON_MEMBER

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
