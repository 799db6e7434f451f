"""The order of a list of time entries, by name."""

from __future__ import annotations

from collections.abc import Mapping

from redmine_mcp_core import Redmine, sort_by
from redmine_mcp_time.fields import field_id

NEWEST_FIRST = "spent_on:desc"

COLUMNS: Mapping[str, str] = {
    "spent_on": "spent_on",
    "created": "created_on",
    "hours": "hours",
    "user": "user",
    "author": "author",
    "project": "project",
    "activity": "activity",
    "issue": "issue",
    "tracker": "issue.tracker",
    "status": "issue.status",
    "category": "issue.category",
    "version": "issue.fixed_version",
}
"""By name: the column in app/models/time_entry_query.rb."""


async def sort_from(redmine: Redmine, text: str) -> str:
    """``-hours, user`` as Redmine's ``sort``. Raises ``BadArgument`` with the valid keys."""

    async def column_of(name: str) -> str:
        column = COLUMNS.get(name.casefold().replace(" ", "_"))
        return column or f"cf_{await field_id(redmine, name)}"

    return await sort_by(text, column_of, COLUMNS)
