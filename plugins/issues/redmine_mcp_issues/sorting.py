"""The order of a list of issues, by name."""

from __future__ import annotations

from collections.abc import Mapping

from redmine_mcp_core import Redmine, sort_by
from redmine_mcp_issues.asking import custom_field_id
from redmine_mcp_issues.naming import known_as

COLUMNS: Mapping[str, str] = {
    "id": "id",
    "project": "project",
    "tracker": "tracker",
    "status": "status",
    "priority": "priority",
    "subject": "subject",
    "author": "author",
    "assignee": "assigned_to",
    "category": "category",
    "version": "fixed_version",
    "created": "created_on",
    "updated": "updated_on",
    "closed": "closed_on",
    "start": "start_date",
    "due": "due_date",
    "done_ratio": "done_ratio",
    "estimated_hours": "estimated_hours",
    "spent_hours": "spent_hours",
    "parent": "parent",
}


async def sort_from(redmine: Redmine, text: str, project: str) -> str:
    """``-priority, due`` as Redmine's ``sort``. Raises ``BadArgument`` with the valid keys."""

    async def column_of(name: str) -> str:
        column = COLUMNS.get(known_as(name))
        return column or f"cf_{await custom_field_id(redmine, name, project)}"

    return await sort_by(text, column_of, COLUMNS)
