"""A page of issues: one line each, under headings that say what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Result, line

PAGE = 25

SHOWN_DATES: Mapping[str, str] = {
    "updated_on": "last update",
    "due_date": "due",
    "created_on": "created",
    "closed_on": "closed",
    "start_date": "start",
}
"""Of what a date is, by its attribute: said once for the whole list, if it is sorted by that."""

Columns = tuple[str | None, ...]
"""Values of an issue in the order of ``IssueRow.columns``."""

_NOTHING: Columns = (None,) * 5


class IssueRow(BaseModel):
    """An issue in a list. Dates are days, as Redmine's API tells them (UTC)."""

    id: int
    subject: str
    project: str
    tracker: str
    status: str
    priority: str
    assigned_to: str | None = None
    due_date: str | None = None
    updated_on: str
    created_on: str | None = None
    closed_on: str | None = None
    start_date: str | None = None
    is_private: bool = False

    def columns(self) -> Columns:
        """What stands before the date and the subject, in order."""
        assignee = self.assigned_to or "unassigned"
        return self.project, self.status, self.tracker, self.priority, assignee

    def day(self, dated: str | None) -> str:
        """The date by which the list is sorted, or else the due date, or else the last update."""
        if dated:
            return getattr(self, dated) or "never"
        return f"due {self.due_date}" if self.due_date else self.updated_on


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
        if not self.issues:
            return f"{self.total} found, but page {self.page} is past the last."
        first = (self.page - 1) * PAGE + 1
        last = first + len(self.issues) - 1
        more = f"; next: page={self.page + 1}" if last < self.total else ""
        body = Quotation().enclose("\n".join(self._lines()))
        return f"{body}\n{first}-{last} of {self.total}{more}"

    def _lines(self) -> Iterator[str]:
        dated = self.sorted_by if self.sorted_by in SHOWN_DATES else None
        year = max(row.updated_on for row in self.issues)[:4]
        everywhere = _shared(self.issues) if len(self.issues) > 1 else _NOTHING
        sections = self._sections()
        # In the caller's own order there are no headings: what most rows have is said before them.
        usual = _usual(self.issues, everywhere) if len(sections) == 1 else _NOTHING
        said, expected = (", ".join(filter(None, values)) for values in (everywhere, usual))
        dates = f"Dates of {year}, of the last update unless due."
        if dated:
            dates = f"Dates: {SHOWN_DATES[dated]}, {year}."
        yield " ".join(
            filter(
                None,
                [
                    said and f"All: {said}.",
                    expected and f"Unless told: {expected}.",
                    dates,
                ],
            )
        )
        for section in sections:
            here = _shared(section) if len(sections) > 1 else usual
            heading = ", ".join(filter(None, _beyond(here, everywhere)))
            if heading and len(sections) > 1:
                yield f"{heading}:"
            for row in section:
                day = row.day(dated).replace(f"{year}-", "", 1)
                private = "[private] " if row.is_private else ""
                own = _beyond(_beyond(row.columns(), everywhere), here)
                about = [*filter(None, own), day]
                yield f"#{row.id} {', '.join(about)}: {private}{row.subject}"

    def _sections(self) -> list[list[IssueRow]]:
        """By status, where no order was asked for that this would break."""
        if self.sorted_by not in (None, "status"):
            return [list(self.issues)]
        sections: dict[str, list[IssueRow]] = {}
        for row in self.issues:
            sections.setdefault(row.status, []).append(row)
        return list(sections.values())

    def _counted(self) -> str:
        body = Quotation().enclose("\n".join(f"{one.name}: {one.count}" for one in self.groups))
        several = "; one may count in several" if self.several else ""
        return f"{body}\n{self.total} issues by {self.group_by}{several}"


def _shared(rows: Sequence[IssueRow]) -> Columns:
    """The values that all rows have, column by column; of one alone, the status."""
    if len(rows) == 1:
        return (None, rows[0].status, None, None, None)
    columns = zip(*(row.columns() for row in rows), strict=True)
    return tuple(column[0] if len(set(column)) == 1 else None for column in columns)


def _usual(rows: Sequence[IssueRow], said: Columns) -> Columns:
    """What is most common in each column, where it saves something and no other column has it."""
    columns = [Counter(column) for column in zip(*(row.columns() for row in rows), strict=True)]
    found: list[str | None] = []
    for place, values in enumerate(columns):
        value, times = values.most_common(1)[0]
        elsewhere = any(value in other for at, other in enumerate(columns) if at != place)
        found.append(value if said[place] is None and times > 2 and not elsewhere else None)
    return tuple(found)


def _beyond(values: Columns, said: Columns) -> Columns:
    """The values, without those that were said already."""
    return tuple(
        None if value == usual else value for value, usual in zip(values, said, strict=True)
    )


def rows_from(issues: Sequence[Mapping[str, Any]], sorted_by: str | None) -> tuple[IssueRow, ...]:
    """Read the issues of a list."""
    days = {"due_date", *({sorted_by} if sorted_by in SHOWN_DATES else ())} - {"updated_on"}
    return tuple(_row(issue, days) for issue in issues)


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
        updated_on=issue["updated_on"][:10],
        **{day: (issue.get(day) or "")[:10] or None for day in days},
    )


def _name(issue: Mapping[str, Any], attribute: str) -> str:
    return line(issue.get(attribute, {}).get("name"))
