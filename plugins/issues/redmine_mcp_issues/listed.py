"""The tool that lists and counts issues."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import BadArgument, CurrentRedmine, Filters, NotFound, Redmine, Said
from redmine_mcp_issues.asking import filters_from
from redmine_mcp_issues.grouping import grouped, grouping_from
from redmine_mcp_issues.listing import PAGE, IssueList, rows_from
from redmine_mcp_issues.naming import in_project, known_as
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.sorting import sort_from

NEWEST_FIRST = "-updated"


_FIELDS = (
    "Custom fields by name (~ before a part of it), or "
    "author, category, created, closed, parent, watcher…"
)


@plugin.tool(
    title="List or count issues",
    scopes={"view_issues"},
    optional_scopes={"view_issue_watchers", "view_members", "view_time_entries"},
    read_only=True,
)
async def list_issues(
    project: Said = "",
    subprojects: bool = True,
    status: Annotated[Said, Field(description="open, closed, any or names; !name excludes")] = "",
    tracker: Said = "",
    priority: Said = "",
    assignee: Annotated[Said, Field(description="me, a name or none")] = "",
    version: Said = "",
    subject: Annotated[Said, Field(description="Words in it")] = "",
    updated: Annotated[
        Said, Field(description="As all dates: 2026-01, >=2026-01-31, a..b, last 7 days")
    ] = "",
    due: Annotated[Said, Field(description="Also overdue, next 7 days, none")] = "",
    fields: Annotated[
        dict[str, Said],
        WithJsonSchema({"type": "object", "description": _FIELDS}),
    ] = {},  # noqa: B006 - nobody changes it
    query: Annotated[Said, Field(description="A saved query, by itself")] = "",
    sort: Annotated[Said, Field(description="Such as -priority,due")] = "",
    group_by: Annotated[
        Said, Field(description="Count by status, version, assignee, custom field…")
    ] = "",
    page: Annotated[int, Field(ge=1, le=10_000)] = 1,
    redmine: Redmine = CurrentRedmine(),
) -> IssueList:
    """List issues, open ones unless told otherwise, or count them; several names take commas."""
    asked = {
        "status": status,
        "tracker": tracker,
        "priority": priority,
        "assignee": assignee,
        "version": version,
        "subject": subject,
        "updated": updated,
        "due": due,
    }
    asked = {name: value for name, value in asked.items() if value}
    if twice := sorted(asked.keys() & {known_as(name) for name in fields}):
        raise BadArgument(f"{twice[0]} is given twice.")
    asked |= fields
    if query and asked:
        raise BadArgument(f"Redmine runs a saved query as it is: leave out {', '.join(asked)}.")

    async def listed(there: str) -> IssueList:
        filters = (
            await _saved(redmine, query) if query else await filters_from(redmine, asked, there)
        )
        path = f"/projects/{there}/issues.json" if there else "/issues.json"
        if there and not query:
            filters.params["subproject_id"] = "*" if subprojects else "!*"
        if group_by:
            grouping = await grouping_from(redmine, group_by, there)
            return await grouped(redmine, path, filters, grouping, there)
        order = await sort_from(redmine, sort or ("" if query else NEWEST_FIRST), there)
        try:
            answer = await redmine.get(
                path, **filters.params, sort=order or None, limit=PAGE, offset=(page - 1) * PAGE
            )
        except NotFound:
            raise NotFound(
                f"Saved query “{query[:80]}” in this project" if query else "That"
            ) from None
        filters.check(answer["issues"])
        sorted_by = order.split(",")[0].split(":")[0] if sort else None
        return IssueList(
            total=answer["total_count"],
            issues=rows_from(answer["issues"], sorted_by),
            page=page,
            sorted_by=sorted_by,
            hints=() if answer["total_count"] else tuple(filters.hints),
        )

    if project:
        return await in_project(redmine, project, listed)
    try:
        return await listed("")
    except NotFound:
        if not query:
            raise
        owner = await _project_of(redmine, query)
        return await listed(owner)


async def _saved(redmine: Redmine, query: str) -> Filters:
    return Filters("issues", {"query_id": str(await redmine.id_of("queries", query))})


async def _project_of(redmine: Redmine, query: str) -> str:
    """The project of a saved query: elsewhere Redmine does not find it."""
    query_id = await redmine.id_of("queries", query)
    for saved in await redmine.reference("queries"):
        if saved["id"] == query_id and saved.get("project_id"):
            return str(saved["project_id"])
    raise NotFound(f"Saved query “{query[:80]}”")
