"""The tools that list and read projects."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from redmine_mcp_core import CurrentRedmine, Forbidden, Redmine, Result, line
from redmine_mcp_projects.details import ProjectDetails, details_from
from redmine_mcp_projects.finding import (
    ACTIVE,
    CLOSED,
    STATUSES,
    fresh_project,
    path_of,
)
from redmine_mcp_projects.paging import PAGE, Page, told
from redmine_mcp_projects.plugin import plugin

Status = Literal["active", "closed", "all"]

STATUS_FILTER = {
    "active": str(ACTIVE),
    "closed": str(CLOSED),
    "all": f"{ACTIVE}|{CLOSED}",
}

Include = Literal[
    "members",
    "versions",
    "trackers",
    "categories",
    "modules",
    "custom_fields",
    "activities",
]

DEFAULT_INCLUDE: tuple[Include, ...] = ("members", "versions", "trackers", "categories")

IN_THE_SAME_ANSWER = {
    "trackers": "trackers",
    "categories": "issue_categories",
    "modules": "enabled_modules",
    "custom_fields": "issue_custom_fields",
    "activities": "time_entry_activities",
}
"""What comes with a project for no further question, under Redmine's names."""
OF_THEIR_OWN: frozenset[Include] = frozenset({"members", "versions"})
"""What has to be asked for by itself, at the same time."""


class ListedProject(BaseModel):
    """A project in a list."""

    id: int
    identifier: str
    name: str
    parent: str | None = None
    status: str = "active"
    is_public: bool = True

    def row(self) -> str:
        facts = [
            self.status if self.status != "active" else "",
            "" if self.is_public else "private",
            f"in {self.parent}" if self.parent else "",
        ]
        told = ", ".join(filter(None, facts))
        return f"{self.identifier}: {self.name}" + (f" ({told})" if told else "")


class ProjectList(Result):
    """A page of projects."""

    total: int
    projects: list[ListedProject]
    page: int = 1

    def text(self) -> str:
        rows = [project.row() for project in self.projects]
        return told(rows, total=self.total, page=self.page, nothing="No such project.")


@plugin.tool(title="List projects", scopes={"view_project"}, read_only=True)
async def list_projects(
    name: Annotated[str | None, Field(description="Part of it")] = None,
    status: Status = "active",
    page: Page = 1,
    redmine: Redmine = CurrentRedmine(),
) -> ProjectList:
    """List the projects you can see, subprojects after their parents."""
    answer = await redmine.get(
        "/projects.json",
        name=f"~{name}" if name else None,
        status=STATUS_FILTER[status],
        limit=PAGE,
        offset=(page - 1) * PAGE,
    )
    return ProjectList(
        total=answer["total_count"],
        projects=[_listed(project) for project in answer["projects"]],
        page=page,
    )


@plugin.tool(
    title="Read a project",
    scopes={"view_project"},
    optional_scopes={"view_issues", "view_members", "view_time_entries"},
    read_only=True,
)
async def get_project(
    project: Annotated[str, Field(description="Identifier, name or id")],
    include: tuple[Include, ...] = DEFAULT_INCLUDE,
    redmine: Redmine = CurrentRedmine(),
) -> ProjectDetails:
    """Read one project: description, members by role, versions, trackers, categories."""
    return await read_project(redmine, project, include)


async def read_project(
    redmine: Redmine, wanted: str, include: tuple[Include, ...]
) -> ProjectDetails:
    """The project with these parts of it. Raises ``RedmineError``."""
    apart = OF_THEIR_OWN & set(include)
    known = await redmine.project(wanted) if apart else {}
    own = [IN_THE_SAME_ANSWER[part] for part in include if part in IN_THE_SAME_ANSWER]
    hidden: list[str] = []

    async def beside(part: Include, what: str, **params: Any) -> dict[str, Any]:
        if part not in include:
            return {}
        try:
            return await redmine.get(path_of(known, what), **params)
        except Forbidden:
            hidden.append(part)
            return {}

    project, memberships, versions = await asyncio.gather(
        fresh_project(redmine, known.get("id", wanted), ",".join(sorted(own)) or None),
        beside("members", "memberships", limit=PAGE),
        beside("versions", "versions"),
    )
    hidden += [
        part
        for part in include
        if part in IN_THE_SAME_ANSWER and IN_THE_SAME_ANSWER[part] not in project
    ]
    return details_from(
        project,
        url=redmine.url,
        memberships=memberships,
        versions=versions.get("versions", ()),
        hidden=hidden,
    )


def _listed(project: dict[str, Any]) -> ListedProject:
    return ListedProject(
        id=project["id"],
        identifier=project["identifier"],
        name=line(project["name"]),
        parent=line((project.get("parent") or {}).get("name")) or None,
        status=STATUSES.get(project["status"], "unknown"),
        is_public=project["is_public"],
    )
