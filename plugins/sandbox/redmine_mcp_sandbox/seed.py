"""The records of ``seed.json``, typed: one world, shared with the real Redmine of the tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

# Statuses of a project.
ACTIVE, CLOSED, ARCHIVED = 1, 5, 9


@dataclass(frozen=True, slots=True)
class Record:
    """A row of one of Redmine's tables; a change puts a new one in its place."""

    id: int


@dataclass(frozen=True, slots=True)
class User(Record):
    login: str
    password: str
    firstname: str
    lastname: str
    mail: str
    admin: bool
    api_key: str
    created_on: str
    updated_on: str

    @property
    def name(self) -> str:
        return f"{self.firstname} {self.lastname}"


@dataclass(frozen=True, slots=True)
class Group(Record):
    name: str
    user_ids: Sequence[int]
    created_on: str
    updated_on: str


@dataclass(frozen=True, slots=True)
class CustomField(Record):
    name: str
    field_format: str
    multiple: bool
    possible_values: Sequence[str]
    searchable: bool
    is_filter: bool


@dataclass(frozen=True, slots=True)
class Project(Record):
    identifier: str
    name: str
    description: str | None
    homepage: str
    is_public: bool
    parent_id: int | None
    enabled_modules: Sequence[str]
    tracker_ids: Sequence[int]
    issue_custom_field_ids: Sequence[int]
    created_on: str
    updated_on: str
    status: int = ACTIVE
    inherit_members: bool = False
    default_version_id: int | None = None
    default_assigned_to_id: int | None = None


@dataclass(frozen=True, slots=True)
class MemberRole:
    name: str
    inherited_from: int | None = None
    """The membership, of a group or in a parent project, that this role comes from."""


@dataclass(frozen=True, slots=True)
class Membership(Record):
    project_id: int
    principal_id: int
    member_roles: Sequence[MemberRole]

    @property
    def roles(self) -> list[str]:
        return list(dict.fromkeys(role.name for role in self.member_roles))


@dataclass(frozen=True, slots=True)
class Version(Record):
    project_id: int
    name: str
    status: str
    due_date: str | None
    description: str
    sharing: str
    created_on: str
    updated_on: str
    wiki_page_title: str | None = None


@dataclass(frozen=True, slots=True)
class IssueCategory(Record):
    project_id: int
    name: str
    assigned_to_id: int | None


@dataclass(frozen=True, slots=True)
class Issue(Record):
    project_id: int
    tracker_id: int
    status_id: int
    priority_id: int
    author_id: int
    assigned_to_id: int | None
    category_id: int | None
    fixed_version_id: int | None
    parent_id: int | None
    subject: str
    description: str
    start_date: str | None
    due_date: str | None
    done_ratio: int
    is_private: bool
    estimated_hours: float | None
    custom_values: Mapping[str, str | list[str] | None]
    watcher_ids: Sequence[int]
    created_on: str
    updated_on: str
    closed_on: str | None
    lock_version: int = 0


@dataclass(frozen=True, slots=True)
class IssueRelation(Record):
    issue_from_id: int
    issue_to_id: int
    relation_type: str
    delay: int | None

    def other(self, issue_id: int) -> int:
        """The issue at the other end."""
        return self.issue_to_id if issue_id == self.issue_from_id else self.issue_from_id


@dataclass(frozen=True, slots=True)
class JournalDetail:
    property: str
    name: str
    old_value: str | None
    new_value: str | None


@dataclass(frozen=True, slots=True)
class Journal(Record):
    issue_id: int
    user_id: int
    notes: str | None
    """None if the notes of the change were private: they have a journal of their own."""
    private_notes: bool
    created_on: str
    updated_on: str
    details: Sequence[JournalDetail]
    updated_by_id: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment(Record):
    issue_id: int | None
    """None while the file is uploaded, but attached to nothing."""
    filename: str
    content_type: str | None
    description: str | None
    author_id: int
    created_on: str
    content_base64: str
    wiki_page_id: int | None = None

    @property
    def content(self) -> bytes:
        return base64.b64decode(self.content_base64)


@dataclass(frozen=True, slots=True)
class TimeEntry(Record):
    project_id: int
    issue_id: int | None
    user_id: int
    author_id: int
    hours: float
    activity_id: int
    comments: str
    spent_on: str
    created_on: str
    updated_on: str
    custom_values: Mapping[str, str | list[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WikiPage(Record):
    project_id: int
    title: str
    parent_id: int | None
    created_on: str
    protected: bool = False


@dataclass(frozen=True, slots=True)
class WikiVersion(Record):
    """What a wiki page said once; its newest version is what it says."""

    page_id: int
    version: int
    author_id: int
    text: str
    comments: str | None
    updated_on: str


@dataclass(frozen=True, slots=True)
class WorkflowPermission(Record):
    """What a role must fill in, or may not change, in issues of a tracker with a status."""

    role: str
    tracker_id: int
    status_id: int
    field_name: str
    """An attribute, or the id of a custom field."""
    rule: str
    """``readonly`` or ``required``."""


@dataclass(frozen=True, slots=True)
class Application:
    """An OAuth application, as registered under Administration > Applications."""

    id: int
    name: str
    uid: str
    secret: str
    confidential: bool
    redirect_uris: Sequence[str]
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Seed:
    settings: dict[str, Any]
    users: Sequence[User]
    groups: Sequence[Group]
    issue_custom_fields: Sequence[CustomField]
    workflow_permissions: Sequence[WorkflowPermission]
    projects: Sequence[Project]
    memberships: Sequence[Membership]
    versions: Sequence[Version]
    issue_categories: Sequence[IssueCategory]
    issues: Sequence[Issue]
    issue_relations: Sequence[IssueRelation]
    journals: Sequence[Journal]
    attachments: Sequence[Attachment]
    time_entries: Sequence[TimeEntry]
    wiki_pages: Sequence[WikiPage]
    wiki_versions: Sequence[WikiVersion]
    oauth_applications: Sequence[Application]


RECORDS: dict[str, type[Any]] = {
    "users": User,
    "groups": Group,
    "issue_custom_fields": CustomField,
    "workflow_permissions": WorkflowPermission,
    "projects": Project,
    "memberships": Membership,
    "versions": Version,
    "issue_categories": IssueCategory,
    "issues": Issue,
    "issue_relations": IssueRelation,
    "journals": Journal,
    "attachments": Attachment,
    "time_entries": TimeEntry,
    "wiki_pages": WikiPage,
    "wiki_versions": WikiVersion,
    "oauth_applications": Application,
}


def load_seed() -> Seed:
    """Read the seed that lies beside this module."""
    text = files(__package__).joinpath("seed.json").read_text(encoding="utf-8")
    tables: dict[str, Any] = json.loads(text)
    for row in tables["memberships"]:
        origin = row.pop("inherited_from")
        row["member_roles"] = [MemberRole(name, origin) for name in row.pop("roles")]
    for row in tables["journals"]:
        row["details"] = [JournalDetail(**detail) for detail in row["details"]]
    records = {name: [kind(**row) for row in tables[name]] for name, kind in RECORDS.items()}
    return Seed(settings=tables["settings"], **records)
