"""The state of one sandbox: the seed's records, found by id, and who is locked out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Protocol, TypeVar

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.seed import (
    Attachment,
    Group,
    Issue,
    IssueRelation,
    Journal,
    Project,
    Seed,
    User,
)


class _Identified(Protocol):
    @property
    def id(self) -> int: ...


RecordT = TypeVar("RecordT", bound=_Identified)


def by_id(records: Iterable[RecordT]) -> dict[int, RecordT]:
    return {record.id: record for record in records}


class World:
    """Everything that the sandbox knows, apart from its OAuth tokens."""

    def __init__(self, seed: Seed) -> None:
        self.seed = seed
        self.users = by_id(seed.users)
        self.groups = by_id(seed.groups)
        self.projects = by_id(seed.projects)
        self.issues = by_id(seed.issues)
        self.versions = by_id(seed.versions)
        self.categories = by_id(seed.issue_categories)
        self.custom_fields = by_id(seed.issue_custom_fields)
        self.trackers = by_id(reference.TRACKERS)
        self.statuses = by_id(reference.STATUSES)
        self.priorities = by_id(reference.PRIORITIES)
        self.locked: set[int] = set()
        self.last_login_on: dict[int, str] = {}

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

    def is_closed(self, issue: Issue) -> bool:
        return self.statuses[issue.status_id].is_closed

    def children(self, issue: Issue) -> list[Issue]:
        return self._children[issue.id]

    def descendants(self, issue: Issue) -> Iterator[Issue]:
        for child in self.children(issue):
            yield child
            yield from self.descendants(child)

    def ancestors(self, issue: Issue) -> Iterator[Issue]:
        while issue.parent_id is not None:
            issue = self.issues[issue.parent_id]
            yield issue

    def journals(self, issue: Issue) -> list[Journal]:
        return self._journals[issue.id]

    def attachments(self, issue: Issue) -> list[Attachment]:
        return self._attachments[issue.id]

    def relations(self, issue: Issue) -> list[IssueRelation]:
        """The issue's relations in Redmine's order: by type, then by id."""
        mine = (
            r for r in self.seed.issue_relations if issue.id in (r.issue_from_id, r.issue_to_id)
        )
        return sorted(mine, key=lambda r: (RELATION_TYPES.index(r.relation_type), r.id))

    def spent_hours(self, issue: Issue) -> float:
        return float(self._hours[issue.id])

    @cached_property
    def _children(self) -> defaultdict[int, list[Issue]]:
        found = defaultdict(list)
        for issue in self.seed.issues:
            if issue.parent_id is not None:
                found[issue.parent_id].append(issue)
        return found

    @cached_property
    def _journals(self) -> defaultdict[int, list[Journal]]:
        found = defaultdict(list)
        for journal in sorted(self.seed.journals, key=lambda j: (j.created_on, j.id)):
            found[journal.issue_id].append(journal)
        return found

    @cached_property
    def _attachments(self) -> defaultdict[int, list[Attachment]]:
        found = defaultdict(list)
        for attachment in sorted(self.seed.attachments, key=lambda a: (a.created_on, a.id)):
            found[attachment.issue_id].append(attachment)
        return found

    @cached_property
    def _hours(self) -> defaultdict[int, float]:
        found: defaultdict[int, float] = defaultdict(float)
        for entry in self.seed.time_entries:
            found[entry.issue_id] += entry.hours
        return found


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
