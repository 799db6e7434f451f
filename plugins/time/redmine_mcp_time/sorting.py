"""The order of a list of time entries, by name."""

from __future__ import annotations

from collections.abc import Mapping

from redmine_mcp_core import BadArgument, Redmine
from redmine_mcp_time.fields import field_id

MOST_KEYS = 3
"""Redmine drops all further ones (lib/redmine/sort_criteria.rb)."""

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
    """``-hours, user`` as Redmine's ``sort``: a minus sign turns a key round.

    Raises ``BadArgument`` with the valid keys: Redmine would ignore an unknown one.
    """
    keys = [part.strip() for part in text.split(",") if part.strip()]
    if len(keys) > MOST_KEYS:
        raise BadArgument(f"Redmine sorts by {MOST_KEYS} keys at most.")
    return ",".join([await _criterion(redmine, key) for key in keys])


async def _criterion(redmine: Redmine, key: str) -> str:
    name, _, direction = key.lstrip("-").replace(":", " ").rpartition(" ")
    if direction.casefold() not in ("asc", "desc"):
        name, direction = key.lstrip("-"), "asc"
    known = name.strip().casefold().replace(" ", "_")
    if known in COLUMNS:
        column = COLUMNS[known]
    else:
        try:
            column = f"cf_{await field_id(redmine, name.strip())}"
        except BadArgument:
            keys = ", ".join(COLUMNS)
            raise BadArgument(f"Nothing is sorted by “{key[:40]}”. There are: {keys}.") from None
    return f"{column}:desc" if key.startswith("-") or direction.casefold() == "desc" else column
