"""Relations and watchers made and taken away, beside the write of an issue.

Redmine has requests of their own for them, so one may fail after the issue was written. What failed
is told then, with Redmine's sentence, instead of an error that would hide what was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redmine_mcp_core import Redmine, RedmineError, line
from redmine_mcp_issues.links import RelationChange, WatcherChange, relation_id

Outcome = tuple[list[str], list[str]]
"""What was done, and what was refused, with the reason."""

HIDDEN = "unless your role may not: who watches is hidden from you"


async def relate(
    redmine: Redmine, issue_id: int, changes: Iterable[RelationChange], issue: Mapping[str, Any]
) -> Outcome:
    """Make and take away relations; ``issue`` was read with those that it had."""
    done, failed = [], []
    for change in changes:
        try:
            if change.gone:
                await redmine.delete(f"/relations/{relation_id(issue, change)}.json")
            else:
                body = {"issue_to_id": change.other, "relation_type": change.kind}
                if change.delay is not None:
                    body["delay"] = change.delay
                await redmine.post(f"/issues/{issue_id}/relations.json", {"relation": body})
        except RedmineError as error:
            failed.append(f"{change} ({_reason(error)})")
        else:
            done.append(str(change))
    return done, failed


async def watch(
    redmine: Redmine, issue_id: int, changes: Iterable[WatcherChange]
) -> tuple[list[WatcherChange], list[str]]:
    """Add and remove watchers: what Redmine said yes to, and what it refused."""
    done, failed = [], []
    path = f"/issues/{issue_id}/watchers"
    for change in changes:
        try:
            if change.gone:
                await redmine.delete(f"{path}/{change.user_id}.json")
            else:
                await redmine.post(f"{path}.json", {"user_id": change.user_id})
        except RedmineError as error:
            failed.append(f"{change} ({_reason(error)})")
        else:
            done.append(change)
    return done, failed


def seen(changes: Iterable[WatcherChange], issue: Mapping[str, Any]) -> Outcome:
    """What came about, and what was dropped: Redmine says 204 to somebody who may not watch.

    ``issue`` was read with its watchers, which not everybody may see.
    """
    if "watchers" not in issue:
        return [f"{change} ({HIDDEN})" for change in changes], []
    watching = {user["id"] for user in issue["watchers"]}
    done: list[str] = []
    dropped: list[str] = []
    for change in changes:
        came = (change.user_id in watching) != change.gone
        (done if came else dropped).append(str(change))
    return done, dropped


def _reason(error: RedmineError) -> str:
    return line(str(error)).removeprefix("Redmine refused the values: ").rstrip(".")
