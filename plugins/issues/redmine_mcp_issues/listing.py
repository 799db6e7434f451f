"""A page of issues: one line each, under headings that say what they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Result, line, page_of
from redmine_mcp_issues.headings import (
    NAMES,
    NOTHING,
    Columns,
    Usual,
    beyond,
    joined,
    only,
    shared,
)

PAGE = 25

SHOWN_DATES: Mapping[str, str] = {
    "updated_on": "updated",
    "due_date": "due",
    "created_on": "created",
    "closed_on": "closed",
    "start_date": "start",
}
"""Of what a date is, by its attribute: said once for the whole list, if it is sorted by that."""


class IssueRow(BaseModel):
    """An issue in a list. Dates are days, as Redmine's API tells them (UTC): when it is due, and
    the one that the list is sorted by, or else the last update."""

    id: int
    subject: str
    project: str
    tracker: str
    status: str
    priority: str
    assigned_to: str | None = None
    due_date: str | None = None
    updated_on: str | None = None
    created_on: str | None = None
    closed_on: str | None = None
    start_date: str | None = None
    is_private: bool = False

    def columns(self) -> Columns:
        """What stands before the date and the subject, in order."""
        assignee = self.assigned_to or "nobody"
        return self.project, self.status, self.tracker, self.priority, assignee

    def day(self, dated: str | None, year: str) -> str | None:
        """The date by which the list is sorted, or else the due date, or else the last update.

        Without the ``year``, where it is that one.
        """
        day = f"due {self.due_date}" if self.due_date else self.updated_on
        if dated:
            day = getattr(self, dated) or "never"
        return day and day.replace(f"{year}-", "", 1)


@dataclass(frozen=True, slots=True)
class _Section:
    """Rows under a heading."""

    rows: Sequence[IssueRow]
    said: Columns = NOTHING
    day: str | None = None


class Group(BaseModel):
    """How many issues have a value."""

    name: str
    count: int


class IssueList(Result):
    """A page of issues, or how many there are by group."""

    total: int
    issues: tuple[IssueRow, ...] = ()
    page: int = 1
    sorted_by: str | None = None
    """The attribute, where the caller chose one."""
    group_by: str | None = None
    groups: tuple[Group, ...] = ()
    several: bool = False
    """Whether an issue may count in more than one group."""
    hints: tuple[str, ...] = ()
    """What to try, where nothing fits."""

    def text(self) -> str:
        if not self.total:
            return " ".join(["No issue fits.", *self.hints])
        if self.group_by:
            return self._counted()
        shown = len(self.issues)
        return page_of(self._lines(), shown=shown, total=self.total, page=self.page, size=PAGE)

    def _lines(self) -> Iterator[str]:
        dated = self.sorted_by if self.sorted_by in SHOWN_DATES else None
        year = max(getattr(row, dated or "updated_on") or "" for row in self.issues)[:4]
        columns = [row.columns() for row in self.issues]
        everywhere = shared(columns) if len(columns) > 1 else NOTHING
        sections = self._in_own_order(year) if self.sorted_by else self._by_status()
        # Headings of the default order say enough of their rows; others say one column of each.
        in_own_order = self.sorted_by is not None or len(sections) == 1
        told = tuple(one or other for one, other in zip(everywhere, sections[0].said, strict=True))
        usual = Usual.of(columns, told) if in_own_order else Usual()
        above = {
            "All: {}.": joined(everywhere),
            "Default: {}.": usual.text(),
            "Dates: {}.": joined((year, SHOWN_DATES[dated] if dated else "updated unless due")),
        }
        yield " ".join(said.format(what) for said, what in above.items() if what)
        for section in sections:
            if heading := joined((*beyond(section.said, everywhere), section.day)):
                yield f"{heading}:"
            for row in section.rows:
                values = row.columns()
                own = beyond(values, everywhere, section.said, usual.of_row(values))
                about = joined((*own, None if section.day else row.day(dated, year)))
                private = "[private] " if row.is_private else ""
                yield f"#{row.id} {about}".rstrip() + f": {private}{row.subject}"

    def _by_status(self) -> list[_Section]:
        sections: dict[str, list[IssueRow]] = {}
        for row in self.issues:
            sections.setdefault(row.status, []).append(row)
        if len(sections) == 1:
            return [_Section(self.issues)]
        return [
            _Section(rows, shared([row.columns() for row in rows])) for rows in sections.values()
        ]

    def _in_own_order(self, year: str) -> list[_Section]:
        """Under what the order goes by, where that is the shorter; nothing changes its place."""
        key = self.sorted_by or ""
        if key not in NAMES and key not in SHOWN_DATES:
            return [_Section(self.issues)]
        runs = [list(run) for _, run in groupby(self.issues, attrgetter(key))]
        if len(runs) > len(self.issues) / 2:
            return [_Section(self.issues)]
        if key in SHOWN_DATES:
            return [_Section(run, day=run[0].day(key, year)) for run in runs]
        return [_Section(run, only(run[0].columns(), NAMES.index(key))) for run in runs]

    def _counted(self) -> str:
        body = Quotation().enclose("\n".join(f"{one.name}: {one.count}" for one in self.groups))
        several = "; one may count in several" if self.several else ""
        return f"{body}\n{self.total} issues by {self.group_by}{several}"


def rows_from(issues: Sequence[Mapping[str, Any]], sorted_by: str | None) -> tuple[IssueRow, ...]:
    """Read the issues of a list."""
    dated = sorted_by if sorted_by and sorted_by in SHOWN_DATES else "updated_on"
    return tuple(_row(issue, {"due_date", dated}) for issue in issues)


def _row(issue: Mapping[str, Any], days: set[str]) -> IssueRow:
    return IssueRow(
        id=issue["id"],
        subject=line(issue["subject"]),
        project=_name(issue, "project"),
        tracker=_name(issue, "tracker"),
        status=_name(issue, "status"),
        priority=_name(issue, "priority"),
        assigned_to=_name(issue, "assigned_to") or None,
        is_private=bool(issue.get("is_private")),
        **{day: (issue.get(day) or "")[:10] or None for day in days},
    )


def _name(issue: Mapping[str, Any], attribute: str) -> str:
    return line(issue.get(attribute, {}).get("name"))
