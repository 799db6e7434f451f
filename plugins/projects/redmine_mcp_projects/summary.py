"""How a project stands, as one short answer whose cost does not grow with the project."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import CurrentRedmine, Forbidden, Quotation, Redmine, Result, line
from redmine_mcp_projects.counting import MOST_VALUES, Count, Counter, Hours
from redmine_mcp_projects.plugin import plugin

NOBODY = {"!*": "none"}
"""Redmine's filter for an empty field."""


class ProjectSummary(Result):
    """Counts of a project's issues, as far as the caller sees them."""

    project: str
    url: str
    with_subprojects: bool = False
    open: int
    closed: int
    overdue: int
    stale: int
    stale_days: int
    by_tracker: list[Count]
    by_priority: list[Count]
    by_version: list[Count]
    by_assignee: list[Count]
    estimated: Hours
    spent: Hours | None = None

    def text(self) -> str:
        quoted = Quotation().enclose("\n".join(self._lines()))
        return "\n".join([f"Issues, open/closed{self._of_what()}:", quoted, *self._caveats()])

    def _of_what(self) -> str:
        return ", with subprojects" if self.with_subprojects else ""

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.project} {self.open}/{self.closed} · overdue {self.overdue} · no update for "
            f"{self.stale_days} days {self.stale}"
        )
        for title, counts in (
            ("Tracker", self.by_tracker),
            ("Priority", self.by_priority),
            ("Version", self.by_version),
            ("Assignee", self.by_assignee),
        ):
            yield f"{title}: {', '.join(map(str, counts)) or 'none'}"
        spent = f", {self.spent} spent" if self.spent else ""
        yield f"Hours: {self.estimated} estimated{spent}"

    def _caveats(self) -> Iterator[str]:
        """What these figures do not hold."""
        if self.spent is None:
            yield "Hours spent are not shown to you."
        for hours, what in ((self.estimated, "estimates"), (self.spent, "time entries")):
            if hours and hours.not_counted:
                yield (
                    f"{hours.not_counted} {what} of at most {hours.at_most_each:g} h each are not "
                    "in the sum."
                )


@plugin.tool(
    title="Sum up a project",
    scopes={"view_project", "view_issues"},
    optional_scopes={"view_members", "view_time_entries"},
    read_only=True,
)
async def project_summary(
    project: Annotated[str, Field(description="Identifier, name or id")],
    stale_days: Annotated[int, Field(ge=1, le=3650)] = 30,
    subprojects: bool = False,
    redmine: Redmine = CurrentRedmine(),
) -> ProjectSummary:
    """Count issues by tracker, priority, version, assignee; overdue; stale; sum up hours."""
    found = await redmine.project(project)
    if "trackers" not in found:  # app/helpers/projects_helper.rb: it takes view_issues
        raise Forbidden("The issues of this project are not shown to you, or it has none.")
    counter = Counter(redmine, found, subprojects=subprojects)
    today = datetime.now(UTC).date()
    await counter.look()
    total, overdue, stale, priorities, people, versions = await asyncio.gather(
        counter.both(),
        counter.issues(status="open", due_date=f"<={today - timedelta(days=1)}"),
        counter.issues(status="open", updated_on=f"<={today - timedelta(days=stale_days)}"),
        redmine.names("issue_priorities"),
        _members(redmine, found),
        redmine.reference("versions", found["id"]),
    )
    listed = _most_wanted(versions)
    by_tracker, by_priority, by_version, by_assignee, (estimated, spent) = await asyncio.gather(
        counter.by("tracker_id", _values(found["trackers"]), total),
        counter.by("priority_id", {str(n): name for n, name in priorities.items()}, total),
        counter.by("fixed_version_id", NOBODY | _values(listed), total),
        counter.by("assigned_to_id", NOBODY | people, total),
        counter.hours(_summable(listed, found)),
    )
    return ProjectSummary(
        project=line(found["name"]),
        url=f"{redmine.url}/projects/{found['identifier']}",
        with_subprojects=subprojects,
        open=total.open,
        closed=total.closed,
        overdue=overdue,
        stale=stale,
        stale_days=stale_days,
        by_tracker=by_tracker,
        by_priority=by_priority,
        by_version=by_version,
        by_assignee=by_assignee,
        estimated=estimated,
        spent=spent,
    )


async def _members(redmine: Redmine, project: Mapping[str, Any]) -> dict[str, str]:
    try:
        names = await redmine.names("members", project["id"])
    except Forbidden:
        return {}
    return {str(number): name for number, name in names.items()}


def _most_wanted(versions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Open versions first, the one due soonest before the others; of the closed ones the newest."""
    live = [item for item in versions if item["status"] != "closed"]
    done = [item for item in versions if item["status"] == "closed"]
    live.sort(key=lambda item: item.get("due_date") or "9999")
    done.sort(key=lambda item: item.get("due_date") or "", reverse=True)
    return [*live, *done][: MOST_VALUES - len(NOBODY)]


def _summable(versions: Sequence[dict[str, Any]], project: Mapping[str, Any]) -> list[int]:
    """Versions whose issues are all this project's: its own, shared with nobody."""
    return [
        item["id"]
        for item in versions
        if item["project"]["id"] == project["id"] and item["sharing"] == "none"
    ]


def _values(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(record["id"]): str(record["name"]) for record in records}
