"""Saved queries, and the lists that an administrator defines for the whole of Redmine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from redmine_mcp_core import CurrentRedmine, Quotation, Redmine, Result, line
from redmine_mcp_projects.paging import Page, cut, told
from redmine_mcp_projects.plugin import plugin

ListName = Literal["trackers", "statuses", "priorities", "activities", "roles"]
Kind = Literal["trackers", "issue_statuses", "issue_priorities", "time_entry_activities", "roles"]

LISTS: Mapping[ListName, Kind] = {
    "trackers": "trackers",
    "statuses": "issue_statuses",
    "priorities": "issue_priorities",
    "activities": "time_entry_activities",
    "roles": "roles",
}
"""Under which name Redmine's client keeps each. None needs a permission."""


class Entry(BaseModel):
    """One entry of such a list."""

    id: int
    name: str
    is_closed: bool = False
    is_default: bool = False
    active: bool = True
    default_status: str | None = None

    def __str__(self) -> str:
        facts = [
            "closed" if self.is_closed else "",
            "default" if self.is_default else "",
            "" if self.active else "inactive",
        ]
        told = ", ".join(filter(None, facts))
        return f"{self.name} ({told})" if told else self.name


class ReferenceData(Result):
    """The lists that were asked for."""

    lists: dict[ListName, list[Entry]]

    def text(self) -> str:
        return Quotation().enclose(
            "\n".join(
                f"{name.capitalize()}: {', '.join(map(str, entries))}"
                for name, entries in self.lists.items()
            )
        )


class SavedQuery(BaseModel):
    """A saved query."""

    id: int
    name: str
    project: str | None = None
    is_public: bool = True


class QueryList(Result):
    """A page of saved queries."""

    total: int
    queries: list[SavedQuery]
    page: int = 1

    def text(self) -> str:
        rows = [
            query.name
            + (f" (of {query.project})" if query.project else "")
            + ("" if query.is_public else " (private)")
            for query in self.queries
        ]
        return told(rows, total=self.total, page=self.page, nothing="No saved queries.")


@plugin.tool(title="List trackers, statuses, roles ...", scopes=set(), read_only=True, listed=False)
async def list_reference_data(
    lists: tuple[ListName, ...] = ("trackers", "statuses", "priorities", "activities", "roles"),
    redmine: Redmine = CurrentRedmine(),
) -> ReferenceData:
    """List this Redmine's trackers, issue statuses, priorities, time entry activities and roles."""
    wanted = list(dict.fromkeys(lists))
    found = await asyncio.gather(*(entries(redmine, name) for name in wanted))
    return ReferenceData(lists=dict(zip(wanted, found, strict=True)))


@plugin.tool(title="List saved queries", scopes={"view_project"}, read_only=True, listed=False)
async def list_queries(
    project: Annotated[
        str | None, Field(description="Only those that can be used in this project")
    ] = None,
    page: Page = 1,
    redmine: Redmine = CurrentRedmine(),
) -> QueryList:
    """List the saved issue queries (custom filters) that you can use."""
    owner = (await redmine.project(project))["id"] if project else None
    items, projects = await asyncio.gather(
        redmine.all("/queries.json", "queries", type="IssueQuery"), redmine.names("projects")
    )
    usable = [item for item in items if not owner or item["project_id"] in (None, owner)]
    queries = [
        SavedQuery(
            id=item["id"],
            name=line(item["name"]),
            project=line(projects.get(item["project_id"] or 0)) or None,
            is_public=item["is_public"],
        )
        for item in cut(usable, page)
    ]
    return QueryList(total=len(usable), queries=queries, page=page)


async def entries(redmine: Redmine, name: ListName) -> list[Entry]:
    """One of the lists, as Redmine sorts it, at most five minutes old. Raises ``RedmineError``."""
    return [_entry(item) for item in await redmine.reference(LISTS[name])]


def _entry(item: dict[str, Any]) -> Entry:
    return Entry(
        id=item["id"],
        name=line(item["name"]),
        is_closed=item.get("is_closed", False),
        is_default=item.get("is_default", False),
        active=item.get("active", True),
        default_status=line((item.get("default_status") or {}).get("name")) or None,
    )
