"""How the tools take their arguments: leniently, with schemas that say little.

A model writes 12, "12" or "#12" for an issue, and [] or null for nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from redmine_mcp_core import BadArgument, hours_of, number_of

_TEXT = {"type": "string"}


def issue_number(text: str) -> int:
    """The number of an issue. Raises ``BadArgument``."""
    found = number_of(text)
    if found is None:
        raise BadArgument("issue is the number of an issue, such as 12.")
    return found


Name = Annotated[str | int | None, WithJsonSchema(_TEXT)]
"""What has a name in Redmine, by name or id."""
Text = Annotated[str | None, WithJsonSchema(_TEXT)]
EntryId = Annotated[int, Field(ge=1)]
Fields = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "description": "Custom fields of time entries, by name; true or false for a box",
        }
    ),
]
Hours = Annotated[
    float,
    BeforeValidator(hours_of),
    WithJsonSchema({"type": ["number", "string"], "description": "1.5, 1:30 or 1h30"}),
]
Comments = Annotated[str | None, Field(max_length=1024), WithJsonSchema(_TEXT)]
"""app/models/time_entry.rb, ``validates_length_of :comments``."""
