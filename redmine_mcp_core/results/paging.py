"""A page of a longer list, as a model reads it."""

from __future__ import annotations

from collections.abc import Iterable

from redmine_mcp_core.results.text import Quotation


def page_of(
    lines: Iterable[str],
    *,
    shown: int,
    total: int,
    page: int,
    size: int,
    said: Iterable[str] = (),
) -> str:
    """The lines between marks; behind them where in the whole they stand, and how to go on.

    ``shown`` things of ``total`` are in the lines; a page has ``size`` at most. What else is
    ``said`` of them stands behind their place. A page past the last is told as such, and then no
    line is asked for.
    """
    if not shown:
        return f"{total} in all, but page {page} is past the last."
    first = (page - 1) * size + 1
    last = first + shown - 1
    more = f"next: page={page + 1}" if last < total else ""
    told = "; ".join(filter(None, [f"{first}-{last} of {total}", *said, more]))
    return f"{Quotation().enclose(chr(10).join(lines))}\n{told}"
