"""Hours by person, issue, version, day and the like; by two of them, one within the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from redmine_mcp_core import BadArgument, Filters, Forbidden, Redmine, custom_values, line
from redmine_mcp_time.fields import field_id
from redmine_mcp_time.reading import (
    Entry,
    Found,
    hours_of_all,
    issues_of,
    until,
    whole_days,
)
from redmine_mcp_time.rows import Group, TimeEntryList, minutes_of

MOST_GROUPS = 40
"""So many are told; what is left is one group called others."""
MOST_KEYS = 2

Issues = Mapping[int, Mapping[str, Any]]
Values = tuple[str, ...]
"""What an entry has for each key, or for the first of them."""

OF_ENTRY = ("user", "project", "activity")
OF_ISSUE = {"version": "fixed_version", "tracker": "tracker", "status": "status"} | {
    "category": "category",
    "assignee": "assigned_to",
}
"""By name: the attribute of the entry's issue."""
OF_TIME: Mapping[str, Callable[[date], str]] = {
    "day": lambda day: f"{day:%Y-%m-%d %a}",
    "week": lambda day: f"week of {day - timedelta(days=day.weekday()):%Y-%m-%d}",
    "month": lambda day: f"{day:%Y-%m}",
    "year": lambda day: f"{day:%Y}",
}
"""Weeks begin on Monday (ISO 8601)."""
BY = (*OF_ENTRY, "issue", *OF_ISSUE, *OF_TIME)


@dataclass
class Key:
    """What entries are grouped by. A value is comparable, and has a name."""

    by: str
    field_id: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """What each value is called; it grows with what is seen."""

    @property
    def needs_issues(self) -> bool:
        return self.by in OF_ISSUE

    def value(self, entry: Entry, issues: Issues) -> str:
        if self.field_id:
            return line(", ".join(custom_values(entry, self.field_id))) or "none"
        if self.by in OF_TIME:
            return OF_TIME[self.by](date.fromisoformat(entry["spent_on"]))
        if self.by == "issue":
            number = entry.get("issue", {}).get("id")
            return f"#{number}" if number else "no issue"
        thing = entry.get(self.by)
        if self.by in OF_ISSUE:
            number = entry.get("issue", {}).get("id")
            if number and number not in issues:
                return "of issues that you may not see"
            thing = issues.get(number, {}).get(OF_ISSUE[self.by])
        if not thing:
            return "none"
        if self.by == "activity":  # a project's own one has the name of that in whose place it is
            return line(thing["name"])
        self.names.setdefault(str(thing["id"]), line(thing["name"]))
        return str(thing["id"])

    def label(self, value: str) -> str:
        name = self.names.get(value, value)
        same = list(self.names.values()).count(name) > 1
        return f"{name} (id {value})" if same else name


async def keys_from(redmine: Redmine, text: str) -> list[Key]:
    """What was asked for: ``user`` or ``day, issue``.

    Raises ``BadArgument`` with what hours are grouped by.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not 0 < len(names) <= MOST_KEYS:
        raise BadArgument(f"Hours are grouped by {MOST_KEYS} things at most, such as user, issue.")
    return [await _key(redmine, name) for name in names]


async def _key(redmine: Redmine, name: str) -> Key:
    known = name.casefold().replace(" ", "_")
    known = "day" if known in ("date", "spent_on") else known
    if known in BY:
        return Key(known)
    try:
        return Key(line(name), field_id=await field_id(redmine, name))
    except BadArgument:
        raise BadArgument(
            f"Hours are not grouped by “{line(name)[:40]}”, but by {', '.join(BY)} or a custom "
            "field of time entries."
        ) from None


async def grouped(
    redmine: Redmine, found: Found, keys: list[Key], filters: Filters
) -> TimeEntryList:
    """The hours of entries by group, newest entries first. Raises ``RedmineError``."""
    entries, rest = found.entries, ""
    if not found.complete:
        entries, day = whole_days(entries)
        rest = until(day, filters)
    issues: Issues = {}
    if any(key.needs_issues for key in keys):
        issues = await issues_of(redmine, _numbers(entries))
    sums = _Sums(keys)
    for entry in entries:
        sums.add(tuple(key.value(entry, issues) for key in keys), minutes_of(entry))
    await _name_issues(redmine, keys, sums.shown())
    groups = list(sums.groups())
    return TimeEntryList(
        total=found.total,
        hours=hours_of_all(entries),
        group_by=", ".join(key.by for key in keys),
        groups=tuple(groups),
        added_up=None if found.complete else len(entries),
        rest=rest,
    )


class _Sums:
    """Minutes and entries by the values of one key, or of two: by the first, and within it."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys
        self._minutes = Counter[Values]()
        self._entries = Counter[Values]()
        self._within: dict[Values, set[Values]] = {}

    def add(self, values: Values, minutes: int) -> None:
        for place in range(len(values)):
            above, value = values[:place], values[: place + 1]
            self._within.setdefault(above, set()).add(value)
            self._minutes[value] += minutes
            self._entries[value] += 1

    def shown(self) -> list[Values]:
        """The values that are told, each before those within it."""
        told: list[Values] = []
        for first in self._ordered(()):
            within = self._ordered(first)
            if told and len(told) + bool(within) >= MOST_GROUPS:
                break
            told.append(first)
            told += within[: MOST_GROUPS - len(told)]
        return told

    def groups(self) -> Iterator[Group]:
        """What is told, and as one group each what is left: of all, and within one."""
        told = self.shown()
        for place, values in enumerate(told):
            name, *within = (
                key.label(value) for key, value in zip(self._keys, values, strict=False)
            )
            yield self._group(name, *within, of=[values])
            last = place + 1 == len(told) or len(told[place + 1]) == 1
            if last and (left := self._within.get(values[:1], set()) - set(told)):
                yield self._group(name, f"{len(left)} others", of=left)
        if left := self._within.get((), set()) - set(told):
            yield self._group(f"{len(left)} others", of=left)

    def _group(self, name: str, within: str = "", *, of: Collection[Values]) -> Group:
        return Group(
            name=name,
            within=within,
            hours=round(sum(self._minutes[values] for values in of) / 60, 2),
            entries=sum(self._entries[values] for values in of),
        )

    def _ordered(self, above: Values) -> list[Values]:
        """Days in their order, all else by hours."""
        by_time = len(above) < len(self._keys) and self._keys[len(above)].by in OF_TIME
        return sorted(
            self._within.get(above, ()),
            key=lambda values: (0 if by_time else -self._minutes[values], values),
        )


def _numbers(entries: Iterable[Entry]) -> set[int]:
    return {entry["issue"]["id"] for entry in entries if entry.get("issue")}


async def _name_issues(redmine: Redmine, keys: list[Key], shown: Iterable[Values]) -> None:
    """Say what the issues are about, of those that are told."""

    def numbers() -> Iterator[int]:
        for value in shown:
            for key, part in zip(keys, value, strict=False):
                if key.by == "issue" and part.startswith("#"):
                    yield int(part[1:])

    wanted = set(numbers())
    if not wanted:
        return
    try:
        issues = await issues_of(redmine, wanted)
    except Forbidden:
        return  # without view_issues the numbers have to do
    for key in keys:
        if key.by == "issue":
            key.names |= {f"#{one}": f"#{one} {line(issues[one]['subject'])}" for one in issues}
