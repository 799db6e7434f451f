"""What a write would fail at, found before it.

Redmine answers 204 and leaves out what the caller may not set, so a forbidden status change looks
like success. What can be known beforehand for nothing is checked before every write. A dry run asks
further: for the caller's roles, the tracker's fields, and Redmine's own validation (trying.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redmine_mcp_core import BadArgument, Caller, Forbidden, NotFound, Redmine, line
from redmine_mcp_issues.attributes import Value
from redmine_mcp_issues.custom import options, seen_values
from redmine_mcp_issues.draft import Draft
from redmine_mcp_issues.permissions import lacking, permissions_in
from redmine_mcp_issues.request import Request
from redmine_mcp_issues.trying import complaints, read_only, untold

NOT_THERE = "One of the watchers"
"""What it can only be when Redmine says 404 to a new issue in a project that is there."""
WORKFLOW = "whether the workflow makes {} read-only for you; the write would drop it"
FIRST_STATUS = "which status a new issue may have here"
OTHER_STATUSES = "which status may follow the change of tracker or project"


class WouldFail(BadArgument):
    """Redmine would refuse this, or silently do something else."""

    code = "would_fail"

    def __init__(self, problems: Iterable[str]) -> None:
        super().__init__("Nothing was written. ", " ".join(problems), "")


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
    """Why what is meant to be private would become public: Redmine drops the flag, not the text.

    What cannot be taken back is not judged by what was known a few minutes ago.
    """
    secret = ["private"] if request.attributes.get("private") else []
    secret += ["private_notes"] if request.notes and request.private_notes else []
    if not secret:
        return []
    held = await permissions_in(redmine, caller, project_id, author_id=author, fresh=True)
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
    """What roles, tracker and Redmine's validation say. Nothing is written. Two questions.

    Raises ``RedmineError`` where Redmine cannot be asked.
    """
    found = Findings()
    author = issue["author"]["id"] if issue else None
    held = await permissions_in(redmine, caller, home["id"], author_id=author)
    lacks = lacking(arguments, held, new=issue is None)
    found.problems += [
        f"Your role in {line(home['name'])} lacks {needed}, which {', '.join(given)} needs."
        for needed, given in lacks.items()
    ]
    disabled = await _disabled(redmine, draft, issue)
    found.problems += disabled
    try:
        said = await complaints(redmine, draft, issue)
        sentences = await explained(redmine, said, draft, str(home["id"]))
        found.problems += [f"{sentence}." for sentence in sentences]
        if not (lacks or disabled):
            dropped = await read_only(redmine, draft, issue, said)
            found.problems += [
                f"{draft.wanted[key].label} is read-only here, by workflow or subtasks."
                for key in dropped
            ]
            if hidden := untold(draft):
                found.unknown.append(WORKFLOW.format(", ".join(hidden)))
    except NotFound:
        found.problems.append(str(NotFound(NOT_THERE)))
    except Forbidden:
        if not found.problems:
            found.problems.append("Redmine does not allow you to do this here.")
    return found


async def _disabled(redmine: Redmine, draft: Draft, issue: Mapping[str, Any] | None) -> list[str]:
    """Standard fields that the tracker does not have (app/models/tracker.rb, CORE_FIELDS)."""
    tracker_id = draft.body.get("tracker_id") or (issue["tracker"]["id"] if issue else None)
    trackers = await redmine.reference("trackers")
    known = {field for item in trackers for field in item.get("enabled_standard_fields", ())}
    for item in trackers:
        if item["id"] == tracker_id:
            missing = (known - set(item.get("enabled_standard_fields", ()))) & draft.body.keys()
            labels = [draft.wanted[key].label for key in sorted(missing)]
            if labels:
                return [f"Tracker {line(item['name'])} has no {', '.join(labels)}."]
    return []


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
