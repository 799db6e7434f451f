"""Long texts edited by find and replace, so that nobody sends them whole to change a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from redmine_mcp_core.redmine import BadArgument


class Edit(BaseModel):
    """A passage of a text, and what to put in its place."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    find: Annotated[str, Field(min_length=1)]
    put: Annotated[str, Field(alias="with")]


def replaced(text: str, edits: Iterable[Edit], what: str = "description") -> str:
    """The text after the edits, one after the other; ``what`` it is, errors say.

    Redmine keeps the ends of line it was given, CRLF from its own forms; here they are all LF.
    Raises ``BadArgument`` where a passage does not occur exactly once.
    """
    text = _lf(text)
    for number, edit in enumerate(edits, 1):
        passage = _lf(edit.find)
        count = _occurrences(text, passage)
        if count != 1:
            advice = "Give more of the text around it" if count else f"Read the {what} again"
            raise BadArgument(
                f"replace, edit {number}: the {what} has that passage {count} times, "
                f"not once. {advice}; nothing was written."
            )
        text = text.replace(passage, _lf(edit.put))
    return text


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def _occurrences(text: str, passage: str) -> int:
    """How often a passage begins in the text; "aa" begins twice in "aaa"."""
    count, start = 0, text.find(passage)
    while start >= 0:
        count, start = count + 1, text.find(passage, start + 1)
    return count
