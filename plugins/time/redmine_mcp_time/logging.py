"""The tool that logs time."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import (
    BadArgument,
    CurrentNotebook,
    CurrentRedmine,
    Forbidden,
    Invalid,
    Notebook,
    NotFound,
    Redmine,
    fingerprint,
    line,
    number_of,
    once,
)
from redmine_mcp_time.arguments import Comments, Fields, Hours, Name, Text, issue_number
from redmine_mcp_time.plugin import plugin
from redmine_mcp_time.reading import PATH, entry_of
from redmine_mcp_time.rows import entry_from
from redmine_mcp_time.wishes import Wishes, activities, activity_id, body_of, dropped_of
from redmine_mcp_time.written import WrittenTimeEntry

COMMENT_CHARACTERS = 1024
"""app/models/time_entry.rb, ``validates_length_of :comments``."""
CLOCKS_APART = timedelta(minutes=2)
"""How far this server's clock and Redmine's may differ."""


@plugin.tool(
    title="Log time",
    scopes={"log_time"},
    optional_scopes={
        "log_time_for_other_users",
        "view_issues",
        "view_members",
        "view_project",
        "view_time_entries",
    },
    listed=False,
)
async def log_time(
    hours: Hours,
    issue: Name = None,
    project: Annotated[
        str | int | None,
        WithJsonSchema({"type": "string", "description": "For time on no issue"}),
    ] = None,
    activity: Annotated[
        str | int | None,
        WithJsonSchema({"type": "string", "description": "Needed where Redmine has no default"}),
    ] = None,
    spent_on: Annotated[
        Text, WithJsonSchema({"type": "string", "description": "2026-01-31 or yesterday; or today"})
    ] = None,
    comments: Comments = None,
    user: Annotated[
        str | int | None,
        WithJsonSchema({"type": "string", "description": "Somebody else, where you may"}),
    ] = None,
    fields: Fields = {},  # noqa: B006 - nobody changes it
    idempotency_key: Annotated[
        str | None,
        Field(max_length=200),
        WithJsonSchema({"type": "string", "description": "A repeat returns the first entry"}),
    ] = None,
    dry_run: bool = False,
    redmine: Redmine = CurrentRedmine(),
    notebook: Notebook = CurrentNotebook(),
) -> WrittenTimeEntry:
    """Log time spent (hours worked) on an issue or a project: a new time entry."""
    spent_on = None if (spent_on or "").strip().casefold() == "today" else spent_on or None
    logging = _Logging(
        redmine,
        Wishes(hours, issue or None, project or None, activity, spent_on, comments, user, fields),
    )
    if bool(logging.wishes.issue) == bool(logging.wishes.project):
        raise BadArgument("Give either an issue or a project to log time on.")
    body = await logging.body()
    if dry_run:
        return WrittenTimeEntry(
            outcome="dry_run",
            problems=tuple(await logging.problems(body)),
            unknown="" if comments else "whether this Redmine wants a comment",
        )
    if not idempotency_key:
        return _logged("logged", body, await logging.post(body))

    made: dict[str, Any] = {}

    async def make() -> int:
        made.update(await logging.post(body))
        return int(made["id"])

    async def find(since: datetime) -> int | None:
        return await _logged_since(redmine, body, since)

    print_ = fingerprint(asdict(logging.wishes))
    number, _ = await once(notebook, idempotency_key, print_, make=make, find=find)
    if made:
        return _logged("logged", body, made)
    return _logged("exists", {}, await entry_of(redmine, number))


def _logged(outcome: Any, body: dict[str, Any], entry: dict[str, Any]) -> WrittenTimeEntry:
    return WrittenTimeEntry(
        outcome=outcome,
        id=entry["id"],
        entry=entry_from(entry),
        dropped=dropped_of(body, entry) if body else (),
    )


class _Logging:
    """One wish to log time. What is wrong with it is looked up only where Redmine refuses it."""

    def __init__(self, redmine: Redmine, wishes: Wishes) -> None:
        self.wishes = wishes
        self._redmine = redmine
        self._place: int | None = None
        """The project, once it is known."""

    async def body(self) -> dict[str, Any]:
        """The attributes. Raises ``BadArgument`` with the valid names."""
        if self.wishes.project:
            self._place = (await self._redmine.project(self.wishes.project))["id"]
        elif self.wishes.user and not _is_plain(self.wishes.user):
            self._place = (await self._issue())["project"]["id"]
        return await body_of(self._redmine, self.wishes, self._place)

    async def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Log it. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        try:
            return await self._post(body)
        except Invalid as error:
            corrected = await self._with_activity_of_project(body)
            if corrected != body:
                body |= corrected
                return await self._post(body)
            raise Invalid([*error.messages, *await self._hints()]) from None

    async def problems(self, body: dict[str, Any]) -> list[str]:
        """What Redmine would say, made to say it by a comment that is too long."""
        try:
            if said := await self._refused(body):
                said = await self._refused(await self._with_activity_of_project(body))
            return [f"{line(one)}." for one in [*said, *(await self._hints() if said else [])]]
        except (BadArgument, Forbidden, NotFound) as error:
            return [str(error)]

    async def _refused(self, body: dict[str, Any]) -> list[str]:
        try:
            await self._post({**body, "comments": "x" * (COMMENT_CHARACTERS + 1)})
        except Invalid as error:
            # In whatever language: what names the limit is the complaint that was asked for.
            return [one for one in error.messages if str(COMMENT_CHARACTERS) not in one]
        return []

    async def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._redmine.post(PATH, {"time_entry": body})
        except NotFound:  # where this server keeps to some projects
            raise NotFound(self._where()) from None
        except Forbidden as error:
            if error.code != Forbidden.code:
                raise
            raise Forbidden(
                "Redmine does not let you log time there: your role needs log_time, and the "
                "project the module for time tracking."
            ) from None
        entry: dict[str, Any] = answer["time_entry"]
        return entry

    async def _with_activity_of_project(self, body: dict[str, Any]) -> dict[str, Any]:
        """The same, where the issue's project has an activity of its own under that name."""
        if self._place is not None or self.wishes.activity is None or not self.wishes.issue:
            return body
        self._place = (await self._issue())["project"]["id"]
        own = await activity_id(self._redmine, self.wishes.activity, self._place)
        return {**body, "activity_id": own}

    async def _hints(self) -> list[str]:
        """What a refusal may come from. Raises ``NotFound`` for an issue that is not there."""
        hints = []
        if self.wishes.issue:
            project = (await self._issue())["project"]
            self._place = project["id"]
            if self.wishes.activity is not None:
                hints.append(f"Logging takes the permission log_time in {line(project['name'])}")
        if self.wishes.activity is None:
            names = await activities(self._redmine, self._place)
            hints.append(f"Activities are: {', '.join(map(line, names.values()))}")
        if self.wishes.user:
            hints.append(
                "For somebody else it takes log_time_for_other_users, and they must be a member "
                "who may log time"
            )
        return hints

    async def _issue(self) -> dict[str, Any]:
        try:
            answer = await self._redmine.get(f"/issues/{issue_number(str(self.wishes.issue))}.json")
        except (NotFound, Forbidden):
            raise NotFound(self._where()) from None
        issue: dict[str, Any] = answer["issue"]
        return issue

    def _where(self) -> str:
        if not self.wishes.issue:
            return "That project"
        return f"Issue #{issue_number(str(self.wishes.issue))}"


def _is_plain(user: str | int) -> bool:
    return str(user).strip().casefold() == "me" or number_of(str(user)) is not None


async def _logged_since(redmine: Redmine, body: dict[str, Any], since: datetime) -> int | None:
    """The entry like this one that the caller has logged since that moment."""
    whose = body.get("user_id", "me")
    try:
        answer = await redmine.get(
            PATH, author_id="me", user_id=whose, sort="created_on:desc", limit=25
        )
    except Forbidden:
        raise Forbidden(
            "Whether an earlier call with this key logged it cannot be seen without "
            "view_time_entries. Look in Redmine; to log it anyway, take a new key."
        ) from None
    for entry in answer["time_entries"]:
        created = datetime.fromisoformat(entry["created_on"]).astimezone(UTC)
        if created >= since - CLOCKS_APART and not dropped_of(
            {key: value for key, value in body.items() if key != "custom_fields"}, entry
        ):
            return int(entry["id"])
    return None
