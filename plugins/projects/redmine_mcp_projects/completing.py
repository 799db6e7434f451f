"""Values for the arguments of prompts and resource templates, as the caller sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from redmine_mcp_core import MAX_PAGE_SIZE, Redmine, line
from redmine_mcp_projects.finding import names_anywhere
from redmine_mcp_projects.plugin import plugin

RECENT_ISSUES = 25


@plugin.completes("project", "project_id")
async def projects(prefix: str, redmine: Redmine, _given: Mapping[str, str]) -> list[str]:
    """Identifiers of projects whose identifier begins so, or whose name holds it."""
    wanted = prefix.strip().casefold()
    pages = [await redmine.get("/projects.json", limit=MAX_PAGE_SIZE)]
    if wanted and pages[0]["total_count"] > MAX_PAGE_SIZE:
        pages.append(await redmine.get("/projects.json", name=f"~{wanted}", limit=MAX_PAGE_SIZE))
    return [
        project["identifier"]
        for page in pages
        for project in page["projects"]
        if project["identifier"].startswith(wanted) or wanted in project["name"].casefold()
    ]


@plugin.completes("issue_id")
async def issues(prefix: str, redmine: Redmine, _given: Mapping[str, str]) -> list[str]:
    """Numbers of the open issues that are the caller's, as assignee or author, newest first."""
    mine = await asyncio.gather(
        *(
            redmine.get(
                "/issues.json", sort="updated_on:desc", limit=RECENT_ISSUES, **{field: "me"}
            )
            for field in ("assigned_to_id", "author_id")
        )
    )
    found = {issue["id"]: issue["updated_on"] for page in mine for issue in page["issues"]}
    newest = sorted(found, key=lambda number: found[number], reverse=True)
    return [str(number) for number in newest if str(number).startswith(prefix.strip("# "))]


@plugin.completes("version")
async def versions(prefix: str, redmine: Redmine, given: Mapping[str, str]) -> list[str]:
    """Names of versions, of the given project or of any."""
    return _fitting(prefix, (await _in_project("versions", redmine, given)).values())


@plugin.completes("assignee")
async def assignees(prefix: str, redmine: Redmine, given: Mapping[str, str]) -> list[str]:
    """Names of members, of the given project or of any."""
    return _fitting(prefix, (await _in_project("members", redmine, given)).values())


@plugin.completes("since")
async def days(prefix: str, _redmine: Redmine, _given: Mapping[str, str]) -> list[str]:
    """Yesterday, and a week, two weeks and a month ago (UTC, as Redmine's API counts days)."""
    today = datetime.now(UTC).date()
    return _fitting(prefix, [str(today - timedelta(days=ago)) for ago in (1, 7, 14, 30)])


async def _in_project(
    kind: Literal["versions", "members"], redmine: Redmine, given: Mapping[str, str]
) -> dict[int, str]:
    project = given.get("project") or given.get("project_id")
    if not project:
        return await names_anywhere(redmine, kind)
    return await redmine.names(kind, (await redmine.project(project))["id"])


def _fitting(prefix: str, names: Iterable[str]) -> list[str]:
    wanted = prefix.strip().casefold()
    return [line(name) for name in names if line(name).casefold().startswith(wanted)]
