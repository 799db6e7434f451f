"""Types of arguments that take what models write where people would write a text."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator


def _said(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case list():
            return ", ".join(str(one) for one in value)
        case _:
            return value


Said = Annotated[str, BeforeValidator(_said)]
"""A text, whatever a model takes it for: nothing, a number, yes or no, a list."""
