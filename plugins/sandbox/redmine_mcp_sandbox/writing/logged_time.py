"""Time that somebody spent (``TimeEntry``): what may be said about it, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.roles import ROLES
from redmine_mcp_sandbox.seed import Issue, Project, TimeEntry
from redmine_mcp_sandbox.writing import values
from redmine_mcp_sandbox.writing.custom_values import Value, assigned

MAX_COMMENTS = 1024
MAX_HOURS_PER_DAY = 999.0


class TimeForm:
    """A time entry between the form and the database."""

    def __init__(
        self, viewer: Viewer, columns: Mapping[str, Any], before: TimeEntry | None = None
    ) -> None:
        self.viewer = viewer
        self.world = viewer.world
        self.columns = dict(columns)
        self.before = before
        self.invalid_issue = False
        self.invalid_user = False

    @classmethod
    def new(cls, viewer: Viewer, project: Project | None, issue: Issue | None) -> TimeForm:
        """An entry of today, by and for the viewer."""
        me = viewer.user and viewer.user.id
        columns: dict[str, Any] = dict.fromkeys(field.name for field in fields(TimeEntry))
        columns |= {
            "id": 0,
            "project_id": project and project.id,
            "issue_id": issue and issue.id,
            "user_id": me,
            "author_id": me,
            "spent_on": viewer.world.today().isoformat(),
        }
        return cls(viewer, columns)

    @classmethod
    def of(cls, viewer: Viewer, entry: TimeEntry) -> TimeForm:
        columns = {field.name: getattr(entry, field.name) for field in fields(TimeEntry)}
        return cls(viewer, columns, entry)

    def assign(self, given: Mapping[str, Any]) -> None:
        """Take what was said; what the user may not say is found by ``complaints``."""
        was = dict(self.columns)
        for name, read in READERS.items():
            if name in given:
                self.columns[name] = read(given[name])
        fields = self.world.time_entry_fields.values()
        empty: dict[str, Value] = {str(one.id): [] if one.multiple else None for one in fields}
        held = empty | (self.columns["custom_values"] or {})
        self.columns["custom_values"] = assigned(held, given.get("custom_fields"))
        issue = self.world.issues.get(self.columns["issue_id"] or 0)
        if issue is not None and self.columns["issue_id"] != was["issue_id"]:
            project = self.world.projects[issue.project_id]
            may_log = self.viewer.may_open(issue) and self.viewer.allowed("log_time", project)
            self.invalid_issue = not may_log
            if may_log and values.blank(given.get("project_id")):
                self.columns["project_id"] = issue.project_id
        user_id = self.columns["user_id"]
        if user_id != was["user_id"] and user_id != self.columns["author_id"]:
            project_or_none = self.project
            self.invalid_user = project_or_none is None or not self.viewer.allowed(
                "log_time_for_other_users", project_or_none
            )

    @property
    def project(self) -> Project | None:
        return self.world.projects.get(self.columns["project_id"] or 0)

    def entry(self) -> TimeEntry:
        """The record as it is to be kept."""
        now = self.world.now()
        created = self.before.created_on if self.before else now
        return TimeEntry(**self.columns | {"created_on": created, "updated_on": now})

    def complaints(self) -> Iterator[str]:
        columns = self.columns
        issue = self.world.issues.get(columns["issue_id"] or 0)
        if columns["project_id"] is None and issue is not None:
            columns["project_id"] = issue.project_id
        yield from self._presence()
        spent = columns["hours"]
        if spent is values.UNREADABLE:
            yield "Hours is invalid"
        if len(columns["comments"] or "") > MAX_COMMENTS:
            yield f"Comment is too long (maximum is {MAX_COMMENTS} characters)"
        if columns["spent_on"] is values.UNREADABLE:
            yield "Date is not a valid date"
        if isinstance(spent, float):
            if spent < 0:
                yield "Hours is invalid"
            elif spent + self._logged_that_day() > MAX_HOURS_PER_DAY:
                yield _too_much(self._logged_that_day())
        yield from self._references()

    def _logged_that_day(self) -> float:
        """What the user has logged already for the same day."""
        day = (self.columns["user_id"], self.columns["spent_on"])
        return sum(
            one.hours
            for one in self.world.time_entries.values()
            if (one.user_id, one.spent_on) == day and one.id != self.columns["id"]
        )

    def _presence(self) -> Iterator[str]:
        labels = {
            "user_id": "User",
            "activity_id": "Activity",
            "project_id": "Project",
            "hours": "Hours",
            "spent_on": "Date",
        }
        for name, label in labels.items():
            unreadable_date = name == "spent_on" and self.columns[name] is values.UNREADABLE
            if self.columns[name] is None or unreadable_date:
                yield f"{label} cannot be blank"

    def _references(self) -> Iterator[str]:
        columns = self.columns
        if self.project is None:
            yield "Project is invalid"
        if self.invalid_user or self._logs_for_stranger():
            yield "User is invalid"
        issue = self.world.issues.get(columns["issue_id"] or 0)
        missing = columns["issue_id"] is not None and issue is None
        elsewhere = issue is not None and columns["project_id"] != issue.project_id
        if missing or elsewhere or self.invalid_issue:
            yield "Issue is invalid"
        activity = columns["activity_id"]
        unknown = activity is not None and activity not in self.world.activities
        if unknown and self.project is not None:
            yield "Activity is not included in the list"

    def _logs_for_stranger(self) -> bool:
        """Whether the user is neither the author nor a member who logs time."""
        user_id, author_id = self.columns["user_id"], self.columns["author_id"]
        unchanged = self.before is not None and self.before.user_id == user_id
        if self.project is None or user_id == author_id or unchanged:
            return False
        members = self.world.memberships_of(self.project)
        return not any(
            one.principal_id == user_id
            and self.world.active_user(one.principal_id)
            and any("log_time" in ROLES[name].permissions for name in one.roles)
            for one in members
        )


def _too_much(logged: float) -> str:
    most, before = (f"{int(one)}:{round(one % 1 * 60):02}" for one in (MAX_HOURS_PER_DAY, logged))
    return (
        f"Cannot log more than {most} hours on the same day"
        f" ({before} hours have already been logged)"
    )


READERS: Mapping[str, Callable[[Any], Any]] = {
    "project_id": values.integer,
    "issue_id": values.integer,
    "user_id": values.integer,
    "hours": values.hours,
    "activity_id": values.integer,
    "comments": values.optional_text,
    "spent_on": values.day,
}
