"""Counts and sums over a project's issues, of many without reading them.

Where they fit into one page, they are read and counted here. Of more, Redmine's API has no grouping
and no totals, but each list tells its ``total_count``, even where the page asked for lies behind
its end: then the answer is 60 bytes, whatever the size of the project. Hours are summed by Redmine
for one version at a time (``GET /versions/:id``). What belongs to none of these versions is read as
one page, the most hours first; whatever follows it is said to be missing, never guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import MAX_PAGE_SIZE, Forbidden, Redmine, line
from redmine_mcp_projects.finding import AT_ONCE, path_of

READ_AT_ONCE = MAX_PAGE_SIZE
"""So many issues are read whole: that costs Redmine less than forty counts."""
PAST_THE_END = 100_000_000
MOST_VALUES = 16
"""How many values of one kind are counted one by one: 16 versions, 16 assignees."""
_ESTIMATED = {"status_id": "*", "estimated_hours": "*"}
WAVE = 4
"""Values that are counted at the same time; no further ones once every issue is accounted for."""


class Count(BaseModel):
    """How many issues, as far as the caller sees them."""

    name: str = ""
    open: int = 0
    closed: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.open}/{self.closed}"


class Hours(BaseModel):
    """A sum of hours; where something is missing it is at least this."""

    sum: float
    not_counted: int = 0
    """How many issues or time entries are not in the sum."""
    at_most_each: float = 0.0
    """Hours; none of those holds more."""

    def __str__(self) -> str:
        return f"{'at least ' if self.not_counted else ''}{self.sum:g} h"


class Counter:
    """Counts in one project, with or without its subprojects."""

    def __init__(self, redmine: Redmine, project: Mapping[str, Any], *, subprojects: bool) -> None:
        self._redmine = redmine
        self._project = dict(project)
        # Redmine adds the subprojects unless told otherwise (Setting.display_subprojects_issues).
        self._scope = {} if subprojects else {"subproject_id": "!*"}
        self._limited = asyncio.Semaphore(AT_ONCE)
        self._read: list[dict[str, Any]] | None = None

    async def look(self) -> None:
        """Read the issues if they are few, so that no further question is needed to count them."""
        if await self.issues(status="*") <= READ_AT_ONCE:
            answer = await self.get(
                path_of(self._project, "issues"), status_id="*", limit=MAX_PAGE_SIZE, **self._scope
            )
            if answer["total_count"] == len(answer["issues"]):
                self._read = answer["issues"]

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """One question, a few at a time."""
        async with self._limited:
            return await self._redmine.get(path, **params)

    async def issues(self, *, status: str, **filters: str) -> int:
        """How many issues pass these filters; ``status`` is open, closed or ``*``."""
        if self._read is not None:
            return sum(_fits(issue, {"status_id": status, **filters}) for issue in self._read)
        answer = await self.get(
            path_of(self._project, "issues"),
            status_id=status,
            limit=1,
            offset=PAST_THE_END,
            **self._scope,
            **filters,
        )
        return int(answer["total_count"])

    async def both(self, name: str = "", **filters: str) -> Count:
        """The open and the closed ones."""
        opened, closed = await asyncio.gather(
            self.issues(status="open", **filters), self.issues(status="closed", **filters)
        )
        return Count(name=line(name), open=opened, closed=closed)

    async def by(self, field: str, values: Mapping[str, str], total: Count) -> list[Count]:
        """The issues by the value of a field, and the others that this does not tell apart."""
        found: list[Count] = []
        left = Count(name="others", open=total.open, closed=total.closed)
        counted = list(values.items())[:MOST_VALUES]
        for start in range(0, len(counted), WAVE):
            if left.open <= 0 and left.closed <= 0:
                break
            wave = counted[start : start + WAVE]
            for count in await asyncio.gather(
                *(self.both(name, **{field: value}) for value, name in wave)
            ):
                left.open -= count.open
                left.closed -= count.closed
                found.append(count)
        found.append(left)
        return [count for count in found if count.open > 0 or count.closed > 0]

    async def hours(self, versions: Sequence[int]) -> tuple[Hours, Hours | None]:
        """Estimated hours, and spent ones unless the caller may not see time entries.

        ``versions`` are this project's and shared with no other, so that all their issues are its.
        """
        if self._read is not None:
            estimated = sum(issue.get("estimated_hours") or 0 for issue in self._read)
            try:  # more than the issues tell: time is shown on issues that are hidden, too
                spent = await self._largest("time_entries", "hours")
            except Forbidden:
                return Hours(sum=estimated), None
            if not spent.not_counted:
                return Hours(sum=estimated), spent
        try:
            sums = await asyncio.gather(*(self._of_version(version) for version in versions))
            entries = await asyncio.gather(*self._other_entries(versions))
        except Forbidden:
            return await self._largest("issues", "estimated_hours", **_ESTIMATED), None
        others = {"fixed_version_id": _none_of(versions)} if versions else {}
        issues = await self._largest("issues", "estimated_hours", **_ESTIMATED, **others)
        return (
            _total([*(estimated for estimated, _ in sums), issues]),
            _total([*(spent for _, spent in sums), *entries]),
        )

    async def _of_version(self, version: int) -> tuple[Hours, Hours]:
        shown = (await self.get(f"/versions/{version}.json"))["version"]
        if "spent_hours" not in shown:  # app/views/versions/show.api.rsb
            raise Forbidden
        return Hours(sum=shown["estimated_hours"]), Hours(sum=shown["spent_hours"])

    def _other_entries(self, versions: Sequence[int]) -> list[Coroutine[Any, Any, Hours]]:
        """The time entries on issues of no such version, and those on no issue at all."""
        filters: list[dict[str, str]] = [{}]
        if versions:
            filters = [{"issue.fixed_version_id": _none_of(versions)}, {"issue_id": "!*"}]
        return [self._largest("time_entries", "hours", **one) for one in filters]

    async def _largest(self, what: str, field: str, **filters: str) -> Hours:
        """The sum of one page, the largest first, and what lies behind it."""
        answer = await self.get(
            path_of(self._project, what),
            sort=f"{field}:desc",
            limit=MAX_PAGE_SIZE,
            **self._scope,
            **filters,
        )
        hours = [float(item.get(field) or 0) for item in answer[what]]
        return Hours(
            sum=sum(hours),
            not_counted=max(0, answer["total_count"] - len(hours)),
            at_most_each=min(hours, default=0.0),
        )


def _fits(issue: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    """Whether an issue passes filters of the few kinds that are counted by.

    Days are those of UTC; in Redmine they are those of the caller's time zone.
    """
    for field, wanted in filters.items():
        held = issue.get(field.removesuffix("_id"))
        match wanted:
            case "*":
                fits = True
            case "open" | "closed":
                fits = held is not None and held["is_closed"] == (wanted == "closed")
            case "!*":
                fits = held is None
            case _ if wanted.startswith("<="):
                fits = held is not None and held[:10] <= wanted.removeprefix("<=")
            case _:
                fits = held is not None and str(held["id"]) == wanted
        if not fits:
            return False
    return True


def _none_of(versions: Sequence[int]) -> str:
    return "!" + "|".join(map(str, versions))


def _total(parts: Sequence[Hours]) -> Hours:
    cut = [part for part in parts if part.not_counted]
    return Hours(
        sum=round(sum(part.sum for part in parts), 2),
        not_counted=sum(part.not_counted for part in cut),
        at_most_each=max((part.at_most_each for part in cut), default=0.0),
    )
