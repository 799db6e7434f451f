"""An issue between the form and the database: Redmine's ``Issue#safe_attributes=``.

It takes what the user may set and drops the rest without a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.seed import Issue, Project, Version
from redmine_mcp_sandbox.writing import custom_values, values, workflow

DEFAULT_PRIORITY = reference.DEFAULT_PRIORITY.id
COLUMNS = tuple(field.name for field in fields(Issue))
# Derived from the subtasks as soon as there are some (the settings parent_issue_*, by default).
DERIVED = frozenset({"start_date", "due_date", "priority_id", "done_ratio"})


class Draft:
    """An issue as it is wished to be.

    ``columns`` holds what the record will hold, or ``values.UNREADABLE`` where it cannot.
    """

    def __init__(self, viewer: Viewer, before: Issue | None = None) -> None:
        self.viewer = viewer
        self.world = viewer.world
        self.before = before
        """The issue in the database; None for a new one."""
        self.columns = self._defaults() if before is None else _columns_of(before)
        self.notes = ""
        self.private_notes = False
        self.has_custom_values = before is None
        """Whether custom values are to be checked: always of a new issue."""
        self.invalid_parent = False
        self.stale = False
        """The user has seen an older version than the one in the database."""
        self.deleted_attachment_ids: list[int] = []

    def _defaults(self) -> dict[str, Any]:
        columns: dict[str, Any] = dict.fromkeys(COLUMNS)
        return columns | {
            "id": 0,
            "priority_id": DEFAULT_PRIORITY,
            "author_id": self.viewer.user and self.viewer.user.id,
            "done_ratio": 0,
            "is_private": False,
            "custom_values": custom_values.without_values(self.world),
            "watcher_ids": [],
            # Redmine saves a new issue twice: first the issue, then its place in the tree.
            "lock_version": 1,
        }

    @property
    def project(self) -> Project | None:
        return self.world.projects.get(self.columns["project_id"])

    def issue(self) -> Issue:
        return Issue(**self.columns)

    def changed(self, *names: str) -> bool:
        return self.before is None or any(
            self.columns[name] != getattr(self.before, name) for name in names
        )

    def assign(self, given: Mapping[str, Any]) -> None:
        """Take what the user may set."""
        rest = dict(given)
        self._choose_project(rest)
        self._choose_tracker(rest.pop("tracker_id", None))
        self._choose_status(rest.pop("status_id", None))
        assignee = rest.pop("assigned_to_id", None)
        if assignee is not None and self._may_set("assigned_to_id"):
            self.columns["assigned_to_id"] = values.integer(assignee)
        for name, value in rest.items():
            if name in SETTERS and self._may_set(name):
                SETTERS[name](self, value)

    def move_to(self, project: Project) -> None:
        """Put the issue into a project, and drop what does not exist there (``project=``)."""
        was, self.columns["project_id"] = self.project, project.id
        if was is not None and was != project:
            self._drop_what_stays_behind(project)
        if self.before is None and self.columns["fixed_version_id"] is None:
            shared = (one for one in self.world.shared_versions(project) if one.status == "open")
            if project.default_version_id in {one.id for one in shared}:
                self.columns["fixed_version_id"] = project.default_version_id

    def _drop_what_stays_behind(self, project: Project) -> None:
        columns = self.columns
        if columns["tracker_id"] not in project.tracker_ids:
            columns["tracker_id"] = next(iter(project.tracker_ids), None)
        if category := self.world.categories.get(columns["category_id"]):
            same = (
                one
                for one in self.world.categories.values()
                if (one.project_id, one.name) == (project.id, category.name)
            )
            found = next(same, None)
            columns["category_id"] = found and found.id
        if self.before is None and columns["assigned_to_id"] not in self.assignable_ids():
            columns["assigned_to_id"] = None
        version = self.world.versions.get(columns["fixed_version_id"])
        if version not in self.world.shared_versions(project):
            columns["fixed_version_id"] = None
        parent = self.world.issues.get(columns["parent_id"])
        if self.before is not None and parent and not self.accepts_parent(parent):
            columns["parent_id"] = None

    def accepts_parent(self, parent: Issue) -> bool:
        """Whether a parent's project suits (``cross_project_subtasks`` is ``tree``)."""
        project = self.project
        return project is not None and self._root(project) == self._root(
            self.world.projects[parent.project_id]
        )

    def _root(self, project: Project) -> Project:
        return [project, *self.world.superprojects(project)][-1]

    def assignable_ids(self) -> set[int]:
        """Whom the issue may be assigned to (``Issue#assignable_users``)."""
        if self.project is None:
            return set()
        ids = {one.principal_id for one in self.world.memberships_of(self.project)}
        ids = {one for one in ids if self.world.active_principal(one)}
        if self.world.active_user(self.columns["author_id"] or 0):
            ids.add(self.columns["author_id"])
        if self.before is not None and self.before.assigned_to_id:
            ids.add(self.before.assigned_to_id)
        return ids

    def assignable_versions(self) -> list[Version]:
        """The open versions of the project; and the one that the issue has already."""
        if self.project is None:
            return []
        shared = self.world.shared_versions(self.project)
        return [
            version
            for version in shared
            if version.status == "open"
            or (self.before is not None and version.id == self.before.fixed_version_id)
        ]

    def _choose_project(self, given: dict[str, Any]) -> None:
        wish = given.pop("project_id", None)
        if wish in (None, False) or not self._may_set("project_id"):
            return
        is_identifier = isinstance(wish, str) and not wish.isdecimal()
        key = wish if is_identifier else str(values.integer(wish))
        project = self.world.project(key)
        if project is None or not self._takes_issues(project):
            return
        moved = self.before is not None and project.id != self.before.project_id
        self.move_to(project)
        if moved and self.before:
            # The old project's category may have been sent along; it is no wish.
            wished = values.integer(given.get("category_id"))
            if wished == self.before.category_id:
                given.pop("category_id", None)

    def _takes_issues(self, project: Project) -> bool:
        """Whether the issue may be in a project (``Issue#allowed_target_projects``)."""
        stays = self.before is not None and self.before.project_id == project.id
        return bool(project.tracker_ids) and (stays or self.viewer.finds("add_issues", project))

    def _choose_tracker(self, wish: Any) -> None:
        if self.project is None:
            return
        wished = values.integer(wish)
        if wished in self.project.tracker_ids and self._may_set("tracker_id"):
            self.columns["tracker_id"] = wished
        if self.columns["tracker_id"] is None:
            self.columns["tracker_id"] = next(iter(self.project.tracker_ids), None)

    def _choose_status(self, wish: Any) -> None:
        if self.before is None:
            if self.project is not None:
                self.columns["status_id"] = workflow.new_issue_statuses()[0].id
            return
        allowed = workflow.allowed_statuses(self.viewer, self.before, self.project)
        wished = values.integer(wish)
        if wished in {status.id for status in allowed} and self._may_set("status_id"):
            self.columns["status_id"] = wished

    @property
    def field_rules(self) -> dict[str, str]:
        """What the workflow says of the fields, for the status that the issue is to have."""
        if self.project is None:
            return {}
        columns = self.columns
        return workflow.field_rules(
            self.viewer, self.project, columns["tracker_id"], columns["status_id"]
        )

    def _may_set(self, name: str) -> bool:
        if self.field_rules.get(name) == "readonly":
            return self.before is None and name == "project_id"
        if self.before is not None and name in DERIVED and self.world.children(self.before):
            return False
        may_edit = self.before is None or self._may_edit()
        rules: dict[str, Callable[[], bool]] = {
            "project_id": lambda: may_edit,
            "notes": self._may_comment,
            "private_notes": lambda: self.before is not None and self._allows("set_notes_private"),
            "watcher_user_ids": lambda: self.before is None and self._allows("add_issue_watchers"),
            "is_private": self._may_hide,
            "parent_issue_id": lambda: may_edit and self._allows("manage_subtasks"),
            "deleted_attachment_ids": self._may_delete_attachments,
        }
        return rules[name]() if name in rules else may_edit

    def _may_edit(self) -> bool:
        return self.viewer.may_edit(self.issue())

    def _may_comment(self) -> bool:
        return self.project is not None and self.viewer.holds("add_issue_notes", self.project)

    def _may_hide(self) -> bool:
        own = self.viewer.is_me(self.columns["author_id"])
        return self._allows("set_issues_private") or (
            own and self._allows("set_own_issues_private")
        )

    def _may_delete_attachments(self) -> bool:
        return self.before is not None and self.viewer.may_open(self.before) and self._may_edit()

    def _allows(self, permission: str) -> bool:
        return self.project is not None and self.viewer.allowed(permission, self.project)

    def set_parent(self, wish: Any) -> None:
        """``12``, ``"#12"``, or blank for none; an issue that the user cannot see is invalid."""
        self.invalid_parent = False
        if values.blank(wish):
            self.columns["parent_id"] = None
            return
        found = re.fullmatch(r"#?(\d+)", values.text(wish).strip())
        parent = self.world.issues.get(int(found[1])) if found else None
        same = self.before is not None and parent and parent.id == self.before.parent_id
        if parent is None or not (same or self.viewer.finds_issue(parent)):
            self.invalid_parent = True
            return
        self.columns["parent_id"] = parent.id

    def set_custom_values(self, given: Any) -> None:
        if values.blank(given):
            return
        current = self.columns["custom_values"]
        fixed = {name for name, rule in self.field_rules.items() if rule == "readonly"}
        self.columns["custom_values"] = {
            field_id: current[field_id] if field_id in fixed else value
            for field_id, value in custom_values.assigned(current, given).items()
        }
        self.has_custom_values = True


def _columns_of(issue: Issue) -> dict[str, Any]:
    return {name: getattr(issue, name) for name in COLUMNS}


def _column(name: str, read: Callable[[Any], Any]) -> Callable[[Draft, Any], None]:
    def set_column(draft: Draft, value: Any) -> None:
        draft.columns[name] = read(value)

    return set_column


def _integer_or(default: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = values.integer(value)
        return default if number is None else number

    return read


def _attribute(name: str, read: Callable[[Any], Any]) -> Callable[[Draft, Any], None]:
    return lambda draft, value: setattr(draft, name, read(value))


def _lock(draft: Draft, value: Any) -> None:
    draft.stale = draft.before is not None and values.integer(value) != draft.before.lock_version


def _description(value: Any) -> str | None:
    return None if value is None else re.sub(r"\r\n|\n|\r", "\r\n", values.text(value))


SETTERS: Mapping[str, Callable[[Draft, Any], None]] = {
    "subject": _column("subject", values.optional_text),
    "description": _column("description", _description),
    # Without one, Redmine takes the default (``Issue#clear_disabled_fields``).
    "priority_id": _column("priority_id", _integer_or(DEFAULT_PRIORITY)),
    "category_id": _column("category_id", values.integer),
    "fixed_version_id": _column("fixed_version_id", values.integer),
    "start_date": _column("start_date", values.day),
    "due_date": _column("due_date", values.day),
    "done_ratio": _column("done_ratio", _integer_or(0)),
    "estimated_hours": _column("estimated_hours", values.hours),
    "is_private": _column("is_private", values.boolean),
    "watcher_user_ids": _column("watcher_ids", values.integers),
    "parent_issue_id": Draft.set_parent,
    "custom_fields": Draft.set_custom_values,
    "notes": _attribute("notes", values.text),
    "private_notes": _attribute("private_notes", lambda value: bool(values.boolean(value))),
    "deleted_attachment_ids": _attribute("deleted_attachment_ids", values.integers),
    "lock_version": _lock,
}
