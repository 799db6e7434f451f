"""Changing an issue: read, checked, written, read again.

Whether somebody else changed it meanwhile is judged by ``updated_on``. Redmine has a
``lock_version`` that would make that certain, and takes it with a write, but its API shows it
nowhere (app/views/issues/show.api.rsb). So a guarded write reads the issue once more, right before,
and compares all of it. What remains open is the time between that read and the write, some tens of
milliseconds, and what was changed in the very second that the caller had read, which
``expected_updated_on`` cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redmine_mcp_core import (
    BadArgument,
    Caller,
    Forbidden,
    Invalid,
    NotFound,
    Redmine,
    RedmineError,
    day_of,
    line,
    replaced,
)
from redmine_mcp_issues.attributes import snapshot, value_of
from redmine_mcp_issues.changes import (
    WrittenIssue,
    changes_between,
    dropped_of,
    noted,
    planned,
)
from redmine_mcp_issues.checks import (
    WouldFail,
    by_asking,
    check_privacy,
    explained,
    without_asking,
)
from redmine_mcp_issues.draft import Draft, draft_of
from redmine_mcp_issues.linking import relate, seen, watch
from redmine_mcp_issues.links import RelationChange, relation_changes, relation_id, watcher_changes
from redmine_mcp_issues.reaching import issue_of
from redmine_mcp_issues.request import Request, Time


class ChangedMeanwhile(RedmineError):
    """The issue is not the one that the caller has seen."""

    code = "conflict"

    def __init__(self, issue: Mapping[str, Any]) -> None:
        super().__init__(
            f"#{issue['id']} was changed at {issue['updated_on']}, after what you read. "
            "Nothing was written: read it again first."
        )


async def update(
    redmine: Redmine,
    caller: Caller,
    issue_id: int,
    request: Request,
    *,
    project: str | int | None = None,
    expected_updated_on: str | None = None,
    dry_run: bool = False,
) -> WrittenIssue:
    """Change one issue; ``project`` moves it. Raises ``RedmineError``; then nothing was written.

    After ``TimedOut`` it may have been: read the issue.
    """
    given = [*request.given, *(["project"] if project is not None else [])]
    if not given:
        raise BadArgument("Nothing was asked to be changed.")
    if given == ["notes"] and not (dry_run or expected_updated_on):
        return await _comment(redmine, issue_id, request)
    linked = [name for name in ("relations", "watchers") if getattr(request, name)]
    before = await issue_of(redmine, issue_id, {"allowed_statuses", *linked})
    if expected_updated_on and not _is_same_moment(before["updated_on"], expected_updated_on):
        raise ChangedMeanwhile(before)
    home = await redmine.project(project) if project is not None else None
    draft = await draft_of(redmine, request.attributes, request.fields, home=home, issue=before)
    if request.edits:
        _edit_description(draft, request, before)
    place: Mapping[str, Any] = home or before["project"]
    watchers = await watcher_changes(redmine, request.watchers, str(place["id"]))
    relations = relation_changes(request.relations)

    entry = await _time_entry(redmine, request.time) if request.time else None
    author = before["author"]["id"]
    found = without_asking(caller, given, draft, before)
    found.problems += _not_there(relations, before)
    found.problems += await check_privacy(redmine, caller, request, place["id"], author)
    if dry_run:
        further = await by_asking(redmine, caller, given, draft, home=place, issue=before)
        return WrittenIssue(
            outcome="dry_run",
            id=issue_id,
            updated_on=before["updated_on"],
            changes=planned(before, draft.wanted),
            problems=tuple(dict.fromkeys(found.problems + further.problems)),
            unknown=tuple(found.unknown + further.unknown),
        )
    if found.problems:
        raise WouldFail(found.problems)

    body = _body(request, draft, entry)
    if expected_updated_on or request.edits:
        now = await issue_of(redmine, issue_id)
        if now["updated_on"] != before["updated_on"] or snapshot(now) != snapshot(before):
            raise ChangedMeanwhile(now)
    if body:
        try:
            await redmine.put(f"/issues/{issue_id}.json", body)
        except Invalid as error:
            project_id = str(place["id"])
            raise Invalid(await explained(redmine, error.messages, draft, project_id)) from None
    related, unrelated = await relate(redmine, issue_id, relations, before)
    watched, refused = await watch(redmine, issue_id, watchers)
    url = f"{redmine.url}/issues/{issue_id}"
    include = {*(["journals"] if request.notes else []), *(["watchers"] if watchers else [])}
    try:
        after = await issue_of(redmine, issue_id, include)
    except RedmineError as error:  # as one who moved it to where they may not look
        return WrittenIssue(
            outcome="unread", id=issue_id, url=url, failed=(*unrelated, *refused, line(str(error)))
        )
    watching, unwatched = seen(watched, after)
    done, dropped = _beside(request, before, after)
    changes = changes_between(snapshot(before), snapshot(after))
    return WrittenIssue(
        outcome="updated" if changes or done or related or watching else "unchanged",
        id=issue_id,
        url=url,
        updated_on=after["updated_on"],
        changes=changes,
        done=(*done, *related, *watching),
        dropped=(*dropped_of(draft.wanted, after), *dropped, *unwatched),
        failed=(*unrelated, *refused),
    )


async def _comment(redmine: Redmine, issue_id: int, request: Request) -> WrittenIssue:
    """Add a note that anybody may read. Nothing has to be known of the issue for that."""
    try:
        await redmine.put(f"/issues/{issue_id}.json", _body(request, Draft(), None))
    except (Forbidden, NotFound):
        await issue_of(redmine, issue_id)  # hidden and missing are told alike
        raise
    after = await issue_of(redmine, issue_id, {"journals"})
    done, dropped = _beside(request, {}, after)
    return WrittenIssue(
        outcome="updated" if done else "unchanged",
        id=issue_id,
        url=f"{redmine.url}/issues/{issue_id}",
        updated_on=after["updated_on"],
        done=tuple(done),
        dropped=tuple(dropped),
    )


def _is_same_moment(updated_on: str, expected: str) -> bool:
    """Whether it is the moment that was read, which answers give to the minute as well."""
    shown = expected.strip().replace(" ", "T").removesuffix("Z")
    return len(shown) >= len("2026-01-31T10:00") and updated_on.startswith(shown)


def _edit_description(draft: Draft, request: Request, issue: Mapping[str, Any]) -> None:
    if "description" in draft.body:
        raise BadArgument("Give either description or replace.")
    text = replaced(issue.get("description") or "", request.edits)
    draft.body["description"] = text
    draft.wanted["description"] = value_of("Description", text, long=True)


def _not_there(relations: Sequence[RelationChange], issue: Mapping[str, Any]) -> list[str]:
    return [
        f"There is no relation “{change.kind or 'of any kind'}” with #{change.other}."
        for change in relations
        if change.gone and relation_id(issue, change) is None
    ]


def _body(request: Request, draft: Draft, entry: dict[str, Any] | None) -> dict[str, Any]:
    """The body of the PUT; empty if there is nothing for one."""
    issue = dict(draft.body)
    if request.notes:
        issue |= {"notes": request.notes, "private_notes": request.private_notes}
    if entry:
        return {"issue": issue, "time_entry": entry}
    return {"issue": issue} if issue else {}


async def _time_entry(redmine: Redmine, time: Time) -> dict[str, Any]:
    """Time as a PUT of its issue takes it. Redmine says no more than "Log time is invalid" of one
    that it does not like, so what can be wrong with it is found here."""
    entry: dict[str, Any] = {"hours": time.hours, "comments": time.comment or ""}
    if time.activity is not None:
        entry["activity_id"] = await redmine.id_of("time_entry_activities", time.activity)
    else:
        activities = await redmine.reference("time_entry_activities")
        if not any(activity.get("is_default") for activity in activities):
            names = ", ".join(line(activity["name"]) for activity in activities)
            raise BadArgument(f"log_hours needs an activity, one of: {names}.")
    if time.day:
        entry["spent_on"] = day_of("log_date", time.day, ahead=True)
    return entry


def _beside(
    request: Request, before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """What came of the note and of the time, which Redmine drops as silently as the rest."""
    done: list[str] = []
    dropped: list[str] = []
    if request.notes:
        text = "private note added" if request.private_notes else "note added"
        came = noted(after, request.notes, private=request.private_notes)
        (done if came else dropped).append(text)
    if request.time:
        text = f"{request.time.hours:g} h logged"
        if "spent_hours" not in before or "spent_hours" not in after:
            done.append(f"{text}, unless your role may not (spent time is hidden from you)")
        else:
            came = line(str(before["spent_hours"])) != line(str(after["spent_hours"]))
            (done if came else dropped).append(text)
    return done, dropped
