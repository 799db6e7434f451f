"""The state of one sandbox: the records, found by id, and who is locked out.

It begins as the seed says and changes in memory only. A record is never altered, another takes its
place: so what one answer has read cannot change under its hands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Generic, TypeVar

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.seed import (
    Attachment,
    CustomField,
    Group,
    Issue,
    IssueRelation,
    Journal,
    Membership,
    Project,
    Record,
    Seed,
    TimeEntry,
    User,
    Version,
    WikiPage,
    WikiVersion,
)

RecordT = TypeVar("RecordT", bound=Record)


class Table(dict[int, RecordT], Generic[RecordT]):
    """Records by id."""

    def __init__(self, records: Iterable[RecordT]) -> None:
        super().__init__((record.id, record) for record in records)
        self._last_id = max(self, default=0)

    def add(self, record: RecordT) -> RecordT:
        """Keep a record under a new id; an id is never given out twice."""
        self._last_id += 1
        return self.put(replace(record, id=self._last_id))

    def put(self, record: RecordT) -> RecordT:
        """Keep a record in the place of the one with its id."""
        self[record.id] = record
        return record

    def delete_where(self, condition: Callable[[RecordT], bool]) -> None:
        for record in [one for one in self.values() if condition(one)]:
            del self[record.id]


class World:
    """Everything that the sandbox knows, apart from its OAuth tokens.

    Args:
        clock: Seconds since the epoch: the time of every change.
    """

    def __init__(self, seed: Seed, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.users = Table(seed.users)
        self.groups = Table(seed.groups)
        self.projects = Table(seed.projects)
        self.memberships = Table(seed.memberships)
        self.issues = Table(seed.issues)
        self.issue_relations = Table(seed.issue_relations)
        self.journals = Table(seed.journals)
        self.attachments = Table(seed.attachments)
        self.time_entries = Table(seed.time_entries)
        self.versions = Table(seed.versions)
        self.categories = Table(seed.issue_categories)
        self.custom_fields = Table(seed.issue_custom_fields)
        self.wiki_pages = Table(seed.wiki_pages)
        self.wiki_versions = Table(seed.wiki_versions)
        # The seed has none of these: a test that wants some adds them.
        self.time_entry_fields: Table[CustomField] = Table(())
        self.wiki_redirects: dict[tuple[int, str], str] = {}
        """Titles that renamed pages have now, by project and former title in lower case."""
        self.wiki_start: dict[int, str] = {}
        """Start pages that are not called Wiki, by project."""
        self.workflow_permissions = Table(seed.workflow_permissions)
        self.trackers = {tracker.id: tracker for tracker in reference.TRACKERS}
        self.statuses = {status.id: status for status in reference.STATUSES}
        self.priorities = {priority.id: priority for priority in reference.PRIORITIES}
        self.activities = {activity.id: activity for activity in reference.ACTIVITIES}
        self.module_ids: dict[tuple[int, str], int] = {}
        """The rows of ``enabled_modules``: their ids, by project and module."""
        for project in self.projects.values():
            self.enable_modules(project, project.enabled_modules)
        self.locked: set[int] = set()
        self.last_login_on: dict[int, str] = {}

    def now(self) -> str:
        """The time as Redmine's answers have it: UTC, in whole seconds."""
        return datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def active_user(self, user_id: int) -> User | None:
        return None if user_id in self.locked else self.users.get(user_id)

    def user_by_login(self, login: str) -> User | None:
        """Find a user; logins ignore case, as in Redmine's ``User.find_by_login``."""
        wanted = login.lower()
        return next((user for user in self.users.values() if user.login == wanted), None)

    def user_by_api_key(self, key: str) -> User | None:
        return next(
            (u for u in self.users.values() if u.api_key == key and u.id not in self.locked), None
        )

    def principal(self, principal_id: int) -> User | Group:
        return self.users.get(principal_id) or self.groups[principal_id]

    def active_principal(self, principal_id: int | None) -> User | Group | None:
        """A group, or a user who is not locked."""
        if principal_id is None or principal_id in self.locked:
            return None
        return self.users.get(principal_id) or self.groups.get(principal_id)

    def group_ids(self, user: User) -> list[int]:
        return [group.id for group in self.groups.values() if user.id in group.user_ids]

    def project(self, reference: str) -> Project | None:
        """Find a project by id or identifier."""
        if reference.isdecimal():
            return self.projects.get(int(reference))
        return next((p for p in self.projects.values() if p.identifier == reference), None)

    def subprojects(self, project: Project) -> Iterator[Project]:
        """The project's descendants, at any depth."""
        for child in self.projects.values():
            if child.parent_id == project.id:
                yield child
                yield from self.subprojects(child)

    def superprojects(self, project: Project) -> Iterator[Project]:
        """The project's ancestors, the nearest first."""
        while project.parent_id is not None:
            project = self.projects[project.parent_id]
            yield project

    def enable_modules(self, project: Project, names: Iterable[str]) -> None:
        for name in names:
            next_id = max(self.module_ids.values(), default=0) + 1
            self.module_ids.setdefault((project.id, name), next_id)

    def memberships_of(self, project: Project) -> list[Membership]:
        return [m for m in self.memberships.values() if m.project_id == project.id]

    def shared_versions(self, project: Project) -> list[Version]:
        """The versions that a project's issues may have (``Project#shared_versions``)."""
        above = {one.id for one in self.superprojects(project)}
        below = {one.id for one in self.subprojects(project)}
        tree = {project.id} | above
        for ancestor in self.superprojects(project):
            tree |= {one.id for one in self.subprojects(ancestor)}
        tree |= below
        reach = {
            "descendants": above,
            "hierarchy": above | below,
            "tree": tree,
            "system": set(self.projects),
        }
        return [
            version
            for version in self.versions.values()
            if version.project_id == project.id
            or version.project_id in reach.get(version.sharing, ())
        ]

    def is_closed(self, issue: Issue) -> bool:
        return self.statuses[issue.status_id].is_closed

    def children(self, issue: Issue) -> list[Issue]:
        return [one for one in self.issues.values() if one.parent_id == issue.id]

    def descendants(self, issue: Issue) -> Iterator[Issue]:
        for child in self.children(issue):
            yield child
            yield from self.descendants(child)

    def ancestors(self, issue: Issue) -> Iterator[Issue]:
        while issue.parent_id is not None:
            issue = self.issues[issue.parent_id]
            yield issue

    def journals_of(self, issue: Issue) -> list[Journal]:
        mine = (one for one in self.journals.values() if one.issue_id == issue.id)
        return sorted(mine, key=lambda journal: (journal.created_on, journal.id))

    def attachments_of(self, issue: Issue) -> list[Attachment]:
        mine = (one for one in self.attachments.values() if one.issue_id == issue.id)
        return sorted(mine, key=lambda attachment: (attachment.created_on, attachment.id))

    def wiki_versions_of(self, page: WikiPage) -> list[WikiVersion]:
        mine = (one for one in self.wiki_versions.values() if one.page_id == page.id)
        return sorted(mine, key=lambda one: one.version)

    def wiki_children(self, page: WikiPage) -> list[WikiPage]:
        return [one for one in self.wiki_pages.values() if one.parent_id == page.id]

    def wiki_below(self, page: WikiPage) -> Iterator[WikiPage]:
        """The pages under one, at any depth."""
        for child in self.wiki_children(page):
            yield child
            yield from self.wiki_below(child)

    def relations_of(self, issue: Issue) -> list[IssueRelation]:
        """The issue's relations in Redmine's order: by type, then by id."""
        mine = (
            one
            for one in self.issue_relations.values()
            if issue.id in (one.issue_from_id, one.issue_to_id)
        )
        return sorted(mine, key=lambda one: (RELATION_TYPES.index(one.relation_type), one.id))

    def time_entries_of(self, issue: Issue) -> list[TimeEntry]:
        return [one for one in self.time_entries.values() if one.issue_id == issue.id]

    def spent_hours(self, issue: Issue) -> float:
        return sum((entry.hours for entry in self.time_entries_of(issue)), 0.0)


# In the order in which Redmine sorts them (IssueRelation::TYPES).
RELATION_TYPES = (
    "relates",
    "duplicates",
    "duplicated",
    "blocks",
    "blocked",
    "precedes",
    "follows",
    "copied_to",
    "copied_from",
)
