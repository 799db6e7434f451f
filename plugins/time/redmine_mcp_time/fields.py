"""Custom fields of time entries, by name.

Only an administrator may list them (``GET /custom_fields``). Everybody else reads their names from
an entry: Redmine shows the same fields with each, whatever its project, also empty ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redmine_mcp_core import BadArgument, Redmine, find_name, line, number_of


async def field_names(redmine: Redmine) -> dict[int, str]:
    """Id to name of the fields that the caller sees. Raises ``RedmineError``."""

    async def look() -> dict[int, str]:
        answer = await redmine.get("/time_entries.json", limit=1)
        return {
            int(field["id"]): line(field["name"])
            for entry in answer["time_entries"]
            for field in entry.get("custom_fields", ())
        }

    return await redmine.learned("custom fields of time entries", look)


async def field_id(redmine: Redmine, wanted: str) -> int:
    """The id of the field that was named, by name or id.

    Raises ``BadArgument`` with the fields there are.
    """
    names = await field_names(redmine)
    given = number_of(wanted.removeprefix("cf_"))
    if given is not None and not names:
        return given
    try:
        return find_name("issue_custom_fields", names, given if given is not None else wanted)
    except BadArgument as error:
        if names:
            raise
        raise BadArgument(
            *error.args,
            "",
            " Redmine tells the fields of time entries with an entry, and you see none that has "
            "any: give the field's id.",
        ) from None


async def field_values(redmine: Redmine, wanted: Mapping[str, Any]) -> dict[int, Any]:
    """Id to value as Redmine takes it. Raises ``BadArgument`` with the fields there are."""
    return {await field_id(redmine, name): _value(value) for name, value in wanted.items()}


def _value(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case list() | tuple():
            return [_value(one) for one in value]
        case _:
            return str(value)
