"""How the tools that write take their arguments: schemas as small as they can be.

Every byte of a listed tool's schema is read by every conversation. So a name may be given as an id
although the schema says text, null stands for "leave it" without the schema saying so, and what a
parameter's name says is not said again.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from redmine_mcp_core import Edit, hours_of

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}


def _without_sign(wanted: Any) -> Any:
    """``#12`` as people and models write an issue."""
    return wanted.strip().removeprefix("#") if isinstance(wanted, str) else wanted


def _several(wanted: Any) -> Any:
    """A list, also where one text stands for a list of one."""
    return (wanted,) if isinstance(wanted, str | int) else wanted


Id = Annotated[int, Field(ge=1), BeforeValidator(_without_sign)]
Named = Annotated[str | int, WithJsonSchema(_TEXT)]
Name = Annotated[str | int | None, WithJsonSchema(_TEXT)]
"""What has a name in Redmine, by name or id; "" for none."""
Text = Annotated[str | None, WithJsonSchema(_TEXT)]
Flag = bool | SkipJsonSchema[None]
Percent = Annotated[int | None, Field(ge=0, le=100), WithJsonSchema({"type": "integer"})]
Hours = Annotated[
    float | None,
    BeforeValidator(lambda wanted: wanted if wanted is None else hours_of(wanted)),
    WithJsonSchema({"type": "number"}),
]
"""Hours; what is no decimal, such as 1:30, is made one."""
Fields = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
"""Custom fields: name or id to value, or to a list of values."""
Watchers = Annotated[
    tuple[str | int, ...],
    BeforeValidator(_several),
    Field(max_length=50),
    WithJsonSchema(_TEXTS),
]
Relations = Annotated[
    tuple[str | int, ...],
    BeforeValidator(_several),
    Field(max_length=50),
    WithJsonSchema({**_TEXTS, "description": "Such as blocks #12, precedes #12 +2 days"}),
]
Key = Annotated[
    str | None,
    Field(max_length=200),
    WithJsonSchema({**_TEXT, "description": "A repeat returns the first issue"}),
]
Seen = Annotated[
    str | None, WithJsonSchema({**_TEXT, "description": "Refuse if changed since you read it"})
]


Edits = Annotated[
    tuple[Edit, ...],
    WithJsonSchema(
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"find": _TEXT, "with": _TEXT},
            },
            "description": "Edits the description; find must occur in it once",
        }
    ),
]
"""Edits in the order in which they are made."""
