"""Reading time entries, and adding them up: Redmine's API pages them and knows no sums."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from redmine_mcp_core import MAX_PAGE_SIZE, Filters, Forbidden, NotFound, Redmine
from redmine_mcp_time.rows import PAGE, minutes_of
from redmine_mcp_time.sorting import NEWEST_FIRST

PATH = "/time_entries.json"
MOST_READ = 2_000
"""So many entries are read for a sum: twenty calls."""
AT_ONCE = 4
"""So that one answer does not take all of Redmine's workers."""

_FIRST_DAY = re.compile(r"(?:><|>=)(\d{4}-\d\d-\d\d).*")

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """The time entries that passed the filters, or some of them in a row."""

    total: int
    entries: list[Entry]
    first: int = 0
    """The place of the first of them among all."""

    @property
    def complete(self) -> bool:
        return self.total <= MOST_READ

    def page(self, number: int) -> list[Entry]:
        start = (number - 1) * PAGE - self.first
        return self.entries[start : start + PAGE]


async def entry_of(redmine: Redmine, entry_id: int) -> Entry:
    """One entry. Raises ``NotFound`` for one that is hidden, too."""
    try:
        answer = await redmine.get(f"/time_entries/{entry_id}.json")
    except (NotFound, Forbidden):
        raise NotFound(f"Time entry {entry_id}") from None
    entry: Entry = answer["time_entry"]
    return entry


async def read(
    redmine: Redmine, filters: Filters, *, sort: str = NEWEST_FIRST, page: int | None = None
) -> Found:
    """Every entry; of more than ``MOST_READ`` the first ones, or the page alone.

    Raises ``RedmineError``.
    """

    async def part(offset: int, limit: int = MAX_PAGE_SIZE) -> tuple[int, list[Entry]]:
        async with limited:
            answer = await redmine.get(
                PATH, **filters.params, sort=sort, limit=limit, offset=offset or None
            )
        filters.check(answer["time_entries"])
        return answer["total_count"], answer["time_entries"]

    limited = asyncio.Semaphore(AT_ONCE)
    total, entries = await part(0)
    if total > MOST_READ and page is not None:
        if page * PAGE <= MAX_PAGE_SIZE:
            return Found(total, entries)
        first = (page - 1) * PAGE
        return Found(total, (await part(first, PAGE))[1], first)
    offsets = range(MAX_PAGE_SIZE, min(total, MOST_READ), MAX_PAGE_SIZE)
    parts = [entries, *(more for _, more in await asyncio.gather(*map(part, offsets)))]
    # Who logs time meanwhile moves an entry on to the next part: it counts once.
    return Found(total, list({entry["id"]: entry for more in parts for entry in more}.values()))


def whole_days(entries: list[Entry]) -> tuple[list[Entry], str]:
    """Of the newest entries those of whole days, and the day before which they begin.

    Of the last day there may be more than were read.
    """
    last: str = entries[-1]["spent_on"]
    return [entry for entry in entries if entry["spent_on"] != last] or entries, last


def until(day: str, filters: Filters) -> str:
    """The filter ``spent_on`` for what was asked for up to this day."""
    first = _FIRST_DAY.fullmatch(filters.params.get("spent_on", ""))
    return f"{first[1] if first else ''}..{day}"


def hours_of_all(entries: Iterable[Entry]) -> float:
    """What the entries add up to, in hours with two decimals."""
    return round(sum(map(minutes_of, entries)) / 60, 2)


async def issues_of(redmine: Redmine, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
    """The issues of entries, as far as the caller sees them; one call for a hundred."""
    wanted = sorted(numbers)
    limited = asyncio.Semaphore(AT_ONCE)

    async def some(start: int) -> list[dict[str, Any]]:
        async with limited:
            answer = await redmine.get(
                "/issues.json",
                issue_id=wanted[start : start + MAX_PAGE_SIZE],
                status_id="*",
                limit=MAX_PAGE_SIZE,
            )
            return list(answer["issues"])

    parts = await asyncio.gather(*map(some, range(0, len(wanted), MAX_PAGE_SIZE)))
    return {issue["id"]: issue for part in parts for issue in part}
