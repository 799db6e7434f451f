"""The tool that lists time entries and adds them up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import BadArgument, CurrentRedmine, Redmine, Said
from redmine_mcp_time.filters import filters_from
from redmine_mcp_time.grouping import grouped, keys_from
from redmine_mcp_time.plugin import plugin
from redmine_mcp_time.reading import entry_of, hours_of_all, read
from redmine_mcp_time.rows import TimeEntryList, entry_from
from redmine_mcp_time.sorting import NEWEST_FIRST, sort_from


@plugin.tool(
    title="List or add up logged time",
    scopes={"view_time_entries"},
    optional_scopes={"view_issues", "view_members", "view_project"},
    read_only=True,
    listed=False,
)
async def list_time_entries(
    project: Said = "",
    subprojects: bool = True,
    user: Annotated[Said, Field(description="me or a name; !name excludes")] = "",
    issue: Annotated[Said, Field(description="A number; ~12 with its subtasks, none")] = "",
    activity: Said = "",
    version: Annotated[Said, Field(description="Of the issue")] = "",
    spent_on: Annotated[
        Said, Field(description="this week, last month, 2026-01, >=2026-01-31, a..b, last 7 days")
    ] = "",
    fields: Annotated[
        dict[str, Said],
        WithJsonSchema(
            {
                "type": "object",
                "description": "Custom fields by name, or author, group, role, comments, hours, "
                "tracker, status, category, subject, parent",
            }
        ),
    ] = {},  # noqa: B006 - nobody changes it
    sort: Annotated[Said, Field(description="Such as -hours,user")] = "",
    group_by: Annotated[
        Said,
        Field(
            description="One or two of user, project, issue, activity, version, day, week, month, "
            "tracker, category, custom field…"
        ),
    ] = "",
    entry: Annotated[
        int | None, WithJsonSchema({"type": "integer", "description": "One by its id, in full"})
    ] = None,
    page: Annotated[int, Field(ge=1, le=10_000)] = 1,
    redmine: Redmine = CurrentRedmine(),
) -> TimeEntryList:
    """List time entries (spent hours, timesheet), or add them up: my week, who worked how much."""
    asked = {
        "user": user,
        "issue": issue,
        "activity": activity,
        "version": version,
        "spent_on": spent_on,
    }
    asked = {name: value for name, value in asked.items() if value}
    if twice := sorted(asked.keys() & {name.strip().casefold() for name in fields}):
        raise BadArgument(f"{twice[0]} is given twice.")
    asked |= fields
    if entry is not None:
        if asked or project or group_by:
            raise BadArgument("entry is one time entry by its id, and goes with no filter.")
        one = await entry_of(redmine, entry)
        return TimeEntryList(
            total=1, hours=hours_of_all([one]), entries=(entry_from(one, whole=True),)
        )
    there = str((await redmine.project(project))["id"]) if project else ""
    filters = await filters_from(redmine, asked, there)
    if there:
        filters.params |= {"project_id": there, "subproject_id": "*" if subprojects else "!*"}
    if group_by:
        keys = await keys_from(redmine, group_by)
        return await grouped(redmine, await read(redmine, filters), keys, filters)
    order = await sort_from(redmine, sort) if sort else NEWEST_FIRST
    found = await read(redmine, filters, sort=order, page=page)
    return TimeEntryList(
        total=found.total,
        hours=hours_of_all(found.entries) if found.complete else None,
        entries=tuple(map(entry_from, found.page(page))),
        page=page,
    )
