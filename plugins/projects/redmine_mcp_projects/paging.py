"""Lists: a page of lines, with how many there are and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import Field

from redmine_mcp_core import Quotation

PAGE = 50

Page = Annotated[int, Field(ge=1, le=10_000)]

_T = TypeVar("_T")


def cut(items: Sequence[_T], page: int) -> Sequence[_T]:
    """One page of what Redmine hands out in one piece."""
    return items[(page - 1) * PAGE : page * PAGE]


def told(rows: Sequence[str], *, total: int, page: int, nothing: str) -> str:
    """The rows between marks, and behind them where in the whole they stand."""
    if not total:
        return nothing
    first = (page - 1) * PAGE + 1
    if not rows:
        return f"{total} in all, but page {page} is past the last."
    last = first + len(rows) - 1
    more = f"; next: page={page + 1}" if last < total else ""
    body = Quotation().enclose("\n".join(rows))
    return f"{body}\n{first}-{last} of {total}{more}"
