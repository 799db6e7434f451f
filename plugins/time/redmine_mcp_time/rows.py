"""A time entry on a line, and a page of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from redmine_mcp_core import Quotation, Result, line, page_of, shorten

PAGE = 25
COMMENT_CHARACTERS = 100
"""Of longer comments, unless one entry is shown by itself."""


class TimeEntry(BaseModel):
    """Time that somebody spent on an issue, or on a project."""

    id: int
    spent_on: str
    hours: float
    user: str
    project: str
    activity: str
    issue: int | None = None
    comments: str = ""
    comments_left_out: int = 0
    fields: dict[str, str] = Field(default_factory=dict)
    """Custom fields that are filled in."""

    def columns(self) -> tuple[str, str, str]:
        """What entries of one list often have in common."""
        return self.project, self.user, self.activity

    def row(self, said: Collection[str] = (), year: str = "") -> str:
        """The entry without what was ``said`` before it."""
        own = [value for value in self.columns() if value not in said]
        issue = [f"#{self.issue}"] if self.issue else []
        facts = [f"{name}: {value}" for name, value in self.fields.items()]
        day = self.spent_on.removeprefix(f"{year}-")
        about = ", ".join([*issue, *own, *facts])
        told = self.comments + (" …" if self.comments_left_out else "")
        return f"[{self.id}] {day} {shown(self.hours)} {about}".rstrip() + (told and f": {told}")


class Group(BaseModel):
    """Hours that have something in common."""

    name: str
    within: str = ""
    """What is within the group of that name, where two things are grouped by; or all of it."""
    hours: float
    entries: int


class TimeEntryList(Result):
    """A page of time entries, or their hours by group."""

    total: int
    hours: float | None = None
    """Of all that were found; absent where they are too many to be added up."""
    entries: tuple[TimeEntry, ...] = ()
    page: int = 1
    group_by: str | None = None
    groups: tuple[Group, ...] = ()
    added_up: int | None = None
    """How many entries are in the groups, where not all are."""
    rest: str = ""
    """The filter ``spent_on`` for those that are not."""

    def text(self) -> str:
        if not self.total:
            return "No time entry fits."
        if self.group_by:
            return self._grouped()
        cut = any(entry.comments_left_out for entry in self.entries)
        return page_of(
            self._lines(),
            shown=len(self.entries),
            total=self.total,
            page=self.page,
            size=PAGE,
            said=[
                "too many to add up: narrow spent_on"
                if self.hours is None
                else f"{shown(self.hours)} in all",
                "a comment that ends in … is whole with entry=its id" if cut else "",
            ],
        )

    def _lines(self) -> Iterator[str]:
        year = max(entry.spent_on for entry in self.entries)[:4]
        shared, usual = _said_before(self.entries)
        yield " ".join(
            [
                *([f"All: {', '.join(shared)}."] if shared else []),
                *([f"Unless told: {', '.join(usual)}."] if usual else []),
                f"[id], dates of {year}:",
            ]
        )
        for entry in self.entries:
            yield entry.row((*shared, *usual), year)

    def _grouped(self) -> str:
        body = Quotation().enclose("\n".join(self._groups()))
        said = f"{body}\n{shown(self.hours or 0)} in {_entries(self.added_up or self.total)}"
        said += f" by {self.group_by}"
        if self.added_up is not None:
            said += f", the newest of {self.total}; the others: spent_on={self.rest}"
        return said

    def _groups(self) -> Iterator[str]:
        for group in self.groups:
            if group.within:
                yield f"- {group.within}: {shown(group.hours)}"
            else:
                yield f"{group.name}: {shown(group.hours)} ({_entries(group.entries)})"


def shown(hours: float) -> str:
    """Hours for a person: 1.5 h."""
    return f"{hours:.2f}".rstrip("0").rstrip(".") + " h"


def minutes_of(entry: Mapping[str, Any]) -> int:
    """The time of an entry. Redmine keeps whole minutes and shows hours with two decimals
    (``TimeEntry#hours``), so sums of those would be off."""
    return round(float(entry["hours"]) * 60)


def entry_from(entry: Mapping[str, Any], *, whole: bool = False) -> TimeEntry:
    """Read an entry; ``whole`` leaves its comments as long as they are."""
    comments = line(entry.get("comments"))
    kept, cut = (comments, 0) if whole else shorten(comments, COMMENT_CHARACTERS)
    return TimeEntry(
        id=entry["id"],
        spent_on=entry["spent_on"],
        hours=entry["hours"],
        user=line(entry["user"]["name"]),
        project=line(entry["project"]["name"]),
        activity=line(entry["activity"]["name"]),
        issue=(entry.get("issue") or {}).get("id"),
        comments=kept,
        comments_left_out=cut,
        fields={
            line(field["name"]): value
            for field in entry.get("custom_fields", ())
            if (value := _custom(field.get("value")))
        },
    )


def _custom(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return line(", ".join(str(one) for one in values if one not in (None, "")))


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _said_before(entries: Sequence[TimeEntry]) -> tuple[list[str], list[str]]:
    """What all entries have, and what most of them have: a value that stands in no other column."""
    columns = [Counter(column) for column in zip(*(one.columns() for one in entries), strict=True)]
    shared: list[str] = []
    usual: list[str] = []
    for place, values in enumerate(columns):
        value, times = values.most_common(1)[0]
        elsewhere = any(value in other for at, other in enumerate(columns) if at != place)
        if times > 1 and not elsewhere:
            (shared if times == len(entries) else usual if times > 2 else []).append(value)
    return shared, usual
