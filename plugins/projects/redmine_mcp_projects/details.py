"""One project with what was asked for about it, told in few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field

from redmine_mcp_core import Quotation, Result, line, shorten, visible
from redmine_mcp_projects.finding import STATUSES

DESCRIPTION_CHARACTERS = 2_000
"""How much of a project's description is shown."""
VERSIONS_SHOWN = 25


class Version(BaseModel):
    """A version of a project, or one that another project shares with it."""

    id: int
    name: str
    status: str = "open"
    due_date: str | None = None
    sharing: str = "none"
    description: str = ""
    shared_by: str | None = None
    """The project it belongs to, where that is another."""

    def row(self) -> str:
        facts = [
            self.status if self.status != "open" else "",
            f"due {self.due_date}" if self.due_date else "",
            f"shared with {self.sharing}" if self.sharing != "none" and not self.shared_by else "",
            f"from {self.shared_by}" if self.shared_by else "",
        ]
        told = ", ".join(filter(None, facts))
        return f"{self.name} ({told})" if told else self.name


class ProjectDetails(Result):
    """A project. What was asked for and is absent is empty in Redmine."""

    id: int
    identifier: str
    name: str
    url: str
    status: str = "active"
    is_public: bool = True
    parent: str | None = None
    homepage: str | None = None
    created_on: str
    custom_fields: dict[str, str]
    default_version: str | None = None
    default_assignee: str | None = None
    trackers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    issue_custom_fields: tuple[str, ...] = ()
    activities: tuple[str, ...] = ()
    members: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By role."""
    members_left_out: int = 0
    versions: tuple[Version, ...] = ()
    versions_left_out: int = 0
    hidden: tuple[str, ...] = ()
    """What was asked for and this caller may not see."""
    description: str = ""
    description_left_out: int = 0

    def text(self) -> str:
        quoted = Quotation().enclose("\n".join(filter(None, self._lines())))
        return "\n".join([quoted, *self._left_out()])

    def _lines(self) -> Iterator[str]:
        facts = [
            self.status if self.status != "active" else "",
            "public" if self.is_public else "private",
            f"subproject of {self.parent}" if self.parent else "",
            f"since {self.created_on[:10]}",
            self.homepage or "",
        ]
        yield f"{self.identifier}: {self.name} · " + " · ".join(filter(None, facts))
        for name, value in self.custom_fields.items():
            yield f"{name}: {value}"
        for title, one in (
            ("Default version", self.default_version),
            ("Default assignee", self.default_assignee),
        ):
            yield f"{title}: {one}" if one else ""
        for title, many in (
            ("Trackers", self.trackers),
            ("Categories", self.categories),
            ("Modules", self.modules),
            ("Issue custom fields", self.issue_custom_fields),
            ("Activities", self.activities),
            ("Versions", [version.row() for version in self.versions]),
        ):
            yield f"{title}: {', '.join(many)}" if many else ""
        for role, people in self.members.items():
            yield f"{role}: {', '.join(people)}"
        yield self.description and f"\n{self.description}"

    def _left_out(self) -> Iterator[str]:
        if self.versions_left_out:
            yield (
                f'{self.versions_left_out} versions left out: list_versions(project="'
                f'{self.identifier}")'
            )
        if self.members_left_out:
            yield (
                f'{self.members_left_out} memberships left out: list_members(project="'
                f'{self.identifier}", page=2)'
            )
        if self.hidden:
            yield f"You may not see: {', '.join(self.hidden)}."
        if self.description_left_out:
            yield f"{self.description_left_out} characters of the description left out: {self.url}"


def details_from(
    project: dict[str, Any],
    *,
    url: str,
    memberships: dict[str, Any] | None = None,
    versions: Sequence[dict[str, Any]] = (),
    hidden: Sequence[str] = (),
) -> ProjectDetails:
    """Read ``GET /projects/:id.json`` and what was read beside it."""
    people = (memberships or {}).get("memberships", ())
    description = visible(project.get("description") or "").strip()
    shown, left_out = shorten(description, DESCRIPTION_CHARACTERS)
    return ProjectDetails(
        id=project["id"],
        identifier=project["identifier"],
        name=line(project["name"]),
        url=f"{url}/projects/{project['identifier']}",
        status=STATUSES.get(project["status"], "unknown"),
        is_public=project["is_public"],
        parent=_name(project, "parent"),
        homepage=line(project.get("homepage")) or None,
        created_on=project["created_on"],
        custom_fields=dict(_custom_fields(project)),
        default_version=_name(project, "default_version"),
        default_assignee=_name(project, "default_assignee"),
        trackers=_names(project, "trackers"),
        categories=_names(project, "issue_categories"),
        modules=_names(project, "enabled_modules"),
        issue_custom_fields=_names(project, "issue_custom_fields"),
        activities=_names(project, "time_entry_activities"),
        members=by_role(people),
        members_left_out=(memberships or {}).get("total_count", 0) - len(people),
        versions=tuple(version_from(item, project) for item in versions[:VERSIONS_SHOWN]),
        versions_left_out=max(0, len(versions) - VERSIONS_SHOWN),
        hidden=tuple(hidden),
        description=shown,
        description_left_out=left_out,
    )


def version_from(item: dict[str, Any], project: dict[str, Any]) -> Version:
    """Read one version as this project has it."""
    owner = item.get("project") or {}
    return Version(
        id=item["id"],
        name=line(item["name"]),
        status=item["status"],
        due_date=item.get("due_date"),
        sharing=item.get("sharing") or "none",
        description=line(item.get("description")),
        shared_by=None if owner.get("id") == project["id"] else line(owner.get("name")) or None,
    )


def by_role(memberships: Sequence[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Names by role, in Redmine's order; who has a role twice is named once."""
    found: dict[str, dict[str, None]] = {}
    for membership in memberships:
        for role in membership["roles"]:
            found.setdefault(line(role["name"]), {})[member_name(membership)] = None
    return {role: tuple(people) for role, people in found.items()}


def member_name(membership: dict[str, Any]) -> str:
    """Whose membership it is; a group says that it is one."""
    if "group" in membership:
        return f"{line(membership['group']['name'])} (group)"
    return line(membership.get("user", {}).get("name"))


def _name(record: dict[str, Any], field: str) -> str | None:
    return line((record.get(field) or {}).get("name")) or None


def _names(record: dict[str, Any], field: str) -> tuple[str, ...]:
    return tuple(line(item["name"]) for item in record.get(field, ()))


def _custom_fields(record: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in record.get("custom_fields", ()):
        value = field.get("value")
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")
        if text:
            yield line(field["name"]), line(text)
