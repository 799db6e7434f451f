"""Making an issue: checked before, made once, and told with what Redmine dropped."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from redmine_mcp_core import (
    BadArgument,
    Caller,
    Invalid,
    Notebook,
    NotFound,
    Redmine,
    RedmineError,
    fingerprint,
    line,
    once,
)
from redmine_mcp_issues.changes import WrittenIssue, dropped_of, planned, summary_of
from redmine_mcp_issues.checks import (
    NOT_THERE,
    WouldFail,
    by_asking,
    check_privacy,
    explained,
    without_asking,
)
from redmine_mcp_issues.draft import Draft, draft_of
from redmine_mcp_issues.linking import relate, seen
from redmine_mcp_issues.links import relation_changes, relation_id, watcher_changes
from redmine_mcp_issues.reaching import issue_of
from redmine_mcp_issues.request import Request

CLOCKS_APART = timedelta(minutes=2)
"""How far this server's clock and Redmine's may differ."""


async def create(
    redmine: Redmine,
    caller: Caller,
    notebook: Notebook,
    project: str | int,
    request: Request,
    *,
    idempotency_key: str | None = None,
    dry_run: bool = False,
) -> WrittenIssue:
    """Create an issue in a project. Raises ``RedmineError``; then nothing was made.

    After ``TimedOut`` it may have been: call again with the same ``idempotency_key``.
    """
    home = await redmine.project(project)
    draft = await draft_of(redmine, request.attributes, request.fields, home=home)
    watchers = await watcher_changes(redmine, request.watchers, str(home["id"]))
    relations = relation_changes(request.relations)
    if any(change.gone for change in watchers) or any(change.gone for change in relations):
        raise BadArgument("A new issue has no watchers or relations to take away.")
    if watchers:
        draft.body["watcher_user_ids"] = [change.user_id for change in watchers]
    found = without_asking(caller, request.given, draft, None)
    found.problems += _tracker_problems(draft, home)
    found.problems += await check_privacy(redmine, caller, request, home["id"], None)
    if dry_run:
        further = await by_asking(redmine, caller, request.given, draft, home=home, issue=None)
        return WrittenIssue(
            outcome="dry_run",
            changes=planned(None, draft.wanted),
            problems=tuple(dict.fromkeys(found.problems + further.problems)),
            unknown=tuple(found.unknown + further.unknown),
        )
    if found.problems:
        raise WouldFail(found.problems)

    made: dict[str, Any] = {}

    async def make() -> int:
        try:
            made.update((await redmine.post("/issues.json", {"issue": draft.body}))["issue"])
        except NotFound:
            raise NotFound(NOT_THERE) from None
        except Invalid as error:
            raise Invalid(
                await explained(redmine, error.messages, draft, str(home["id"]))
            ) from None
        return int(made["id"])

    async def find(since: datetime) -> int | None:
        return await _made_since(redmine, draft, since)

    if idempotency_key:
        print_ = fingerprint({"project": home["id"], **asdict(request)})
        issue_id, _ = await once(notebook, idempotency_key, print_, make=make, find=find)
    else:
        issue_id = await make()
    if not made:
        issue = await issue_of(redmine, issue_id, {"relations"} if relations else ())
        # The earlier call may have ended before it came to them.
        missing = [change for change in relations if relation_id(issue, change) is None]
        done, failed = await relate(redmine, issue_id, missing, issue)
        return WrittenIssue(
            outcome="exists",
            id=issue_id,
            url=_url(redmine, issue_id),
            summary=summary_of(issue),
            done=tuple(done),
            failed=tuple(failed),
        )
    done, failed = await relate(redmine, issue_id, relations, {})
    if watchers:
        with suppress(RedmineError):  # it was made: what cannot be read back is told as unseen
            made |= await issue_of(redmine, issue_id, {"watchers"})
    watching, silent = seen(watchers, made)
    return WrittenIssue(
        outcome="created",
        id=issue_id,
        url=_url(redmine, issue_id),
        updated_on=made["updated_on"],
        summary=summary_of(made),
        done=(*done, *watching),
        dropped=(*dropped_of(draft.wanted, made), *silent),
        failed=tuple(failed),
    )


def _tracker_problems(draft: Draft, home: dict[str, Any]) -> list[str]:
    """A tracker that the project has not is dropped, and its first one taken instead."""
    tracker = draft.wanted.get("tracker_id")
    names = {item["id"]: line(item["name"]) for item in home.get("trackers", ())}
    if tracker is None or not names or tracker.value in names:
        return []
    return [f"{line(home['name'])} has no tracker {tracker}, only {', '.join(names.values())}."]


async def _made_since(redmine: Redmine, draft: Draft, since: datetime) -> int | None:
    """The caller's own issue with the draft's subject in its project, made since that moment.

    One below another parent is another one: subtasks are often called the same.
    """
    answer = await redmine.get(
        "/issues.json",
        author_id="me",
        project_id=draft.body["project_id"],
        status_id="*",
        sort="id:desc",
    )
    for issue in answer.get("issues", ()):
        created = datetime.fromisoformat(issue["created_on"]).astimezone(UTC)
        same = issue["subject"].strip() == str(draft.body["subject"]).strip()
        parents = {str(draft.body.get("parent_issue_id") or ""), _parent_of(issue)} - {""}
        if same and len(parents) < 2 and created >= since - CLOCKS_APART:
            return int(issue["id"])
    return None


def _parent_of(issue: dict[str, Any]) -> str:
    return str((issue.get("parent") or {}).get("id", ""))


def _url(redmine: Redmine, issue_id: int) -> str:
    return f"{redmine.url}/issues/{issue_id}"
