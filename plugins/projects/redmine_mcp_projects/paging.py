"""Lists: a page of lines, with how many there are and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import Field

from redmine_mcp_core import page_of

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
    return page_of(rows, shown=len(rows), total=total, page=page, size=PAGE)
