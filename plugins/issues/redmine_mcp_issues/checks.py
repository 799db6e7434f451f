"""What a write would fail at, found before it.

Redmine answers 204 and leaves out what the caller may not set, so a forbidden status change looks
like success. What can be known beforehand for nothing is checked before every write. A dry run asks
further: for the caller's roles, the tracker's fields, and Redmine's own validation.

That last one is a write that cannot succeed. An update carries a stale ``lock_version``: Redmine
validates it, names what is wrong, and then refuses it as out of date, within a transaction that it
rolls back (app/controllers/issues_controller.rb, ``save_issue_with_child_records``). A role that
may not edit has its ``lock_version`` dropped together with every other attribute (they are one
``safe_attributes`` group in app/models/issue.rb), and nothing is left to be written. Attributes of
other groups, notes and time never go along. A new issue carries a subject that is too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redmine_mcp_core import BadArgument, Caller, Forbidden, Invalid, NotFound, Redmine, line
from redmine_mcp_issues.attributes import Value
from redmine_mcp_issues.custom import options, seen_values
from redmine_mcp_issues.draft import SUBJECT_CHARACTERS, Draft
from redmine_mcp_issues.permissions import lacking, permissions_in
from redmine_mcp_issues.request import Request

STALE = -1
"""No issue has this ``lock_version``: Rails counts it from 0."""

NOT_THERE = "One of the watchers"
"""What it can only be when Redmine says 404 to a new issue in a project that is there."""
WORKFLOW = "which fields the workflow makes read-only for you; the write would drop those"
FIRST_STATUS = "which status a new issue may have here"
OTHER_STATUSES = "which status may follow the change of tracker or project"


class WouldFail(BadArgument):
    """Redmine would refuse this, or silently do something else."""

    code = "would_fail"

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__(f"Nothing was written. {' '.join(problems)}")


@dataclass(slots=True)
class Findings:
    """What is known of a write before it."""

    problems: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """What Redmine does not tell before the write."""


def without_asking(
    caller: Caller, arguments: Iterable[str], draft: Draft, issue: Mapping[str, Any] | None
) -> Findings:
    """What can be told from the issue as it is, read with its allowed statuses."""
    found = Findings()
    lacks = lacking(arguments, caller.scopes, new=issue is None)
    found.problems += [
        f"This sign-in was not granted {needed}, which {', '.join(given)} needs."
        for needed, given in lacks.items()
    ]
    if status := draft.wanted.get("status_id"):
        _check_status(found, status, draft, issue)
    return found


def _check_status(
    found: Findings, status: Value, draft: Draft, issue: Mapping[str, Any] | None
) -> None:
    if issue is None:
        found.unknown.append(FIRST_STATUS)
    elif {"tracker_id", "project_id"} & draft.body.keys() or "allowed_statuses" not in issue:
        found.unknown.append(OTHER_STATUSES)
    elif status.value != issue["status"]["id"]:
        allowed = {item["id"]: line(item["name"]) for item in issue["allowed_statuses"]}
        if status.value not in allowed:
            others = [name for key, name in allowed.items() if key != issue["status"]["id"]]
            found.problems.append(
                f"Status {line(issue['status']['name'])} may not become {status} here: "
                f"{'only ' + ', '.join(others) if others else 'you may not change it at all'}."
            )


async def check_privacy(
    redmine: Redmine, caller: Caller, request: Request, project_id: int, author: int | None
) -> list[str]:
    """Why what is meant to be private would become public: Redmine drops the flag, not the text."""
    secret = ["private"] if request.attributes.get("private") else []
    secret += ["private_notes"] if request.notes and request.private_notes else []
    if not secret:
        return []
    held = await permissions_in(redmine, caller, project_id, author_id=author)
    return [
        f"It would become public: your role here lacks {needed}, which {', '.join(given)} needs."
        for needed, given in lacking(secret, held, new=author is None).items()
    ]


async def by_asking(
    redmine: Redmine,
    caller: Caller,
    arguments: Sequence[str],
    draft: Draft,
    *,
    home: Mapping[str, Any],
    issue: Mapping[str, Any] | None,
) -> Findings:
    """What roles, tracker and Redmine's validation say. Nothing is written. Three questions or so.

    Raises ``RedmineError`` where Redmine cannot be asked.
    """
    found = Findings(unknown=[WORKFLOW])
    author = issue["author"]["id"] if issue else None
    held = await permissions_in(redmine, caller, home["id"], author_id=author)
    found.problems += [
        f"Your role in {line(home['name'])} lacks {needed}, which {', '.join(given)} needs."
        for needed, given in lacking(arguments, held, new=issue is None).items()
    ]
    found.problems += await _disabled(redmine, draft, issue)
    try:
        found.problems += await _validated(redmine, draft, home, issue)
    except NotFound:
        found.problems.append(str(NotFound(NOT_THERE)))
    except Forbidden:
        if not found.problems:
            found.problems.append("Redmine does not allow you to do this here.")
    return found


async def _disabled(redmine: Redmine, draft: Draft, issue: Mapping[str, Any] | None) -> list[str]:
    """Standard fields that the tracker does not have (app/models/tracker.rb, CORE_FIELDS)."""
    tracker_id = draft.body.get("tracker_id") or (issue["tracker"]["id"] if issue else None)
    trackers = await redmine.all("/trackers.json", "trackers")
    known = {field for item in trackers for field in item.get("enabled_standard_fields", ())}
    for item in trackers:
        if item["id"] == tracker_id:
            missing = (known - set(item.get("enabled_standard_fields", ()))) & draft.body.keys()
            labels = [draft.wanted[key].label for key in sorted(missing)]
            if labels:
                return [f"Tracker {line(item['name'])} has no {', '.join(labels)}."]
    return []


async def _validated(
    redmine: Redmine, draft: Draft, home: Mapping[str, Any], issue: Mapping[str, Any] | None
) -> list[str]:
    body = {key: value for key, value in draft.body.items() if key != "is_private"}
    try:
        if issue is None:
            body["subject"] = "x" * (SUBJECT_CHARACTERS + 1)
            await redmine.post("/issues.json", {"issue": body})
        elif body:
            body["lock_version"] = STALE
            await redmine.put(f"/issues/{issue['id']}.json", {"issue": body})
    except Invalid as error:
        messages = list(error.messages)
        if issue is None:
            _take_out_subject(messages)
        sentences = await explained(redmine, messages, draft, str(home["id"]))
        return [f"{sentence}." for sentence in sentences]
    return []


def _take_out_subject(messages: list[str]) -> None:
    """The complaint that was asked for: the last that names the limit, in whatever language."""
    for message in reversed(messages):
        if str(SUBJECT_CHARACTERS) in message:
            messages.remove(message)
            return


async def explained(
    redmine: Redmine, messages: Iterable[str], draft: Draft, project: str
) -> list[str]:
    """Redmine's own sentences, one per field, with a custom field's values as far as seen."""
    fields = {
        wanted.label: int(key.removeprefix("cf_"))
        for key, wanted in draft.wanted.items()
        if key.startswith("cf_")
    }
    sentences = []
    for message in messages:
        sentence = line(message).rstrip(".")
        number = next((key for label, key in fields.items() if message.startswith(label)), None)
        if number and (seen := options(await seen_values(redmine, number, project))):
            sentence += f" (other issues have: {', '.join(seen)})"
        sentences.append(sentence)
    return sentences
