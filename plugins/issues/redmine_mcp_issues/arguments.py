"""How the tools that write take their arguments: schemas as small as they can be.

Every byte of a listed tool's schema is read by every conversation. So a name may be given as an id
although the schema says text, null stands for "leave it" without the schema saying so, and what a
parameter's name says is not said again.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}

Named = Annotated[str | int, WithJsonSchema(_TEXT)]
Name = Annotated[str | int | None, WithJsonSchema(_TEXT)]
"""What has a name in Redmine, by name or id; "" for none."""
Text = Annotated[str | None, WithJsonSchema(_TEXT)]
Flag = bool | SkipJsonSchema[None]
Percent = Annotated[int | None, Field(ge=0, le=100), WithJsonSchema({"type": "integer"})]
Hours = Annotated[float | None, Field(ge=0), WithJsonSchema({"type": "number"})]
"""Hours, as a decimal."""
Fields = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
"""Custom fields: name or id to value, or to a list of values."""
Watchers = Annotated[tuple[str | int, ...], Field(max_length=50), WithJsonSchema(_TEXTS)]
Relations = Annotated[
    tuple[str | int, ...],
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


class Edit(BaseModel):
    """A passage of a text, and what to put in its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    find: Annotated[str, Field(min_length=1)]
    put: Annotated[str, Field(alias="with")]


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
