"""The order of a list of issues, by name."""

from __future__ import annotations

from collections.abc import Mapping

from redmine_mcp_core import BadArgument, Redmine
from redmine_mcp_issues.asking import custom_field_id
from redmine_mcp_issues.naming import known_as

MOST_KEYS = 3
"""Redmine drops all further ones (lib/redmine/sort_criteria.rb)."""

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
    """``-priority, due`` as Redmine's ``sort``: a minus sign turns a key round.

    Raises ``BadArgument`` with the valid keys: Redmine would ignore an unknown one.
    """
    keys = [part.strip() for part in text.split(",") if part.strip()]
    if len(keys) > MOST_KEYS:
        raise BadArgument(f"Redmine sorts by {MOST_KEYS} keys at most.")
    return ",".join([await _criterion(redmine, key, project) for key in keys])


async def _criterion(redmine: Redmine, key: str, project: str) -> str:
    name, _, direction = key.lstrip("-").replace(":", " ").rpartition(" ")
    if direction.casefold() not in ("asc", "desc"):
        name, direction = key.lstrip("-"), "asc"
    down = key.startswith("-") or direction.casefold() == "desc"
    known = known_as(name)
    if known in COLUMNS:
        column = COLUMNS[known]
    else:
        try:
            column = f"cf_{await custom_field_id(redmine, name.strip(), project)}"
        except BadArgument:
            keys = ", ".join(COLUMNS)
            raise BadArgument(f"Nothing is sorted by “{key[:40]}”. There are: {keys}.") from None
    return f"{column}:desc" if down else column
