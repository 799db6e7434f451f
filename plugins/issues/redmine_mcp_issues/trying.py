"""Writes that cannot succeed, made to hear what Redmine would say of one that can.

An update carries a stale ``lock_version``: Redmine validates it, names what is wrong, and then
refuses it as out of date, within a transaction that it rolls back
(app/controllers/issues_controller.rb, ``save_issue_with_child_records``). A role that may not edit
has its ``lock_version`` dropped together with every other attribute (they are one
``safe_attributes`` group in app/models/issue.rb), and nothing is left to be written. Attributes of
other groups, notes and time never go along. A new issue carries a subject that is too long.

What the workflow makes read-only, and what subtasks decide, Redmine drops without a word
(``Issue#safe_attribute_names``). It shows in this way: a wrong value of a field that is taken makes
Redmine complain, and one of a field that is dropped does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from redmine_mcp_core import Invalid, Redmine
from redmine_mcp_issues.draft import SUBJECT_CHARACTERS, Draft

STALE = -1
"""No issue has this ``lock_version``: Rails counts it from 0."""
NOBODY = 2_147_483_647
"""No record has this id."""

WRONG: Mapping[str, Any] = {
    "subject": "",
    "priority_id": 0,
    "assigned_to_id": NOBODY,
    "category_id": NOBODY,
    "fixed_version_id": NOBODY,
    "parent_issue_id": "x",
    "start_date": "x",
    "due_date": "x",
    "done_ratio": 101,
    "estimated_hours": "x",
}
"""A value of each attribute that Redmine refuses (app/models/issue.rb, ``validate_issue``)."""
_DECIDING = frozenset({"project_id", "tracker_id", "status_id"})
"""What decides by which rules the others are judged."""
_BESIDE = frozenset({"is_private", "watcher_user_ids"})
"""What belongs to other groups."""


async def complaints(redmine: Redmine, draft: Draft, issue: Mapping[str, Any] | None) -> list[str]:
    """What Redmine's validation says of a draft, in the caller's language."""
    body = {key: value for key, value in draft.body.items() if key not in _BESIDE}
    return await _refused(redmine, body, issue) if body or issue is None else []


async def read_only(
    redmine: Redmine, draft: Draft, issue: Mapping[str, Any] | None, said: Collection[str]
) -> list[str]:
    """The attributes of a draft that Redmine would drop; ``said`` are its ``complaints``.

    One question, and one more for each attribute if something is dropped.
    """
    deciding = {key: value for key, value in draft.body.items() if key in _DECIDING}
    tried = [key for key in draft.body if key in WRONG and (key != "subject" or issue)]

    async def noticed(keys: Collection[str]) -> int:
        body = deciding | {key: WRONG[key] for key in keys}
        return len(set(await _refused(redmine, body, issue)) - set(said))

    if not tried or await noticed(tried) >= len(tried):
        return []
    return [key for key in tried if not await noticed([key])]


def untold(draft: Draft) -> list[str]:
    """What of a draft may be read-only without Redmine telling: by label."""
    known = {*WRONG, *_DECIDING}
    return [wanted.label for key, wanted in draft.wanted.items() if key not in known]


async def _refused(
    redmine: Redmine, body: Mapping[str, Any], issue: Mapping[str, Any] | None
) -> list[str]:
    try:
        if issue is None:
            long = {"subject": "x" * (SUBJECT_CHARACTERS + 1)}
            await redmine.post("/issues.json", {"issue": {**body, **long}})
        else:
            stale = {**body, "lock_version": STALE}
            await redmine.put(f"/issues/{issue['id']}.json", {"issue": stale})
    except Invalid as error:
        messages = list(error.messages)
        if issue is None:
            _take_out_subject(messages)
        return messages
    return []


def _take_out_subject(messages: list[str]) -> None:
    """The complaint that was asked for: the last that names the limit, in whatever language."""
    for message in reversed(messages):
        if str(SUBJECT_CHARACTERS) in message:
            messages.remove(message)
            return
