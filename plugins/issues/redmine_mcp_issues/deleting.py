"""Deleting an issue, and saying before what goes with it.

Redmine deletes subtasks too, those that the caller may not see among them. Logged time goes by
default, and also where ``todo`` is none of the words it knows
(app/controllers/issues_controller.rb, ``destroy``), so the caller has to decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import (
    BadArgument,
    CurrentRedmine,
    NotDeleted,
    NotFound,
    Redmine,
    Result,
    StandsOtherwise,
    confirmed,
    line,
    quoted,
)
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of

SHOWN_SUBTASKS = 10

_MOVE = re.compile(r"move_to:\s*#?([0-9]{1,9})")
_WAYS = "destroy, keep_on_project or move_to:12 (an issue of the same project)"


class Deleted(Result):
    """What is gone."""

    id: int
    subtasks: tuple[int, ...] = ()
    hours: str = ""
    """What became of logged time."""

    def text(self) -> str:
        gone = f"#{self.id} is deleted"
        if self.subtasks:
            gone += f", and its subtasks {_numbers(self.subtasks)}"
        return f"{gone}. {self.hours}".rstrip()


@dataclass(frozen=True, slots=True)
class _Hours:
    """What is to become of logged time: in words before and after, and for Redmine."""

    before: str
    after: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Loss:
    """All that goes with an issue, as far as the caller can see."""

    issue_id: int
    project_id: int
    subject: str
    subtasks: tuple[int, ...]
    logged: float | None
    """Hours on the issue and its subtasks; None if they are hidden from the caller."""

    @classmethod
    async def of(cls, redmine: Redmine, issue_id: int) -> _Loss:
        issue = await issue_of(redmine, issue_id, {"children"})
        logged = issue.get("total_spent_hours")
        below = tuple(_below(issue.get("children", ())))
        return cls(issue_id, issue["project"]["id"], line(issue["subject"]), below, logged)

    def question(self, hours: str) -> str:
        below = f"Its subtasks go too: {_numbers(self.subtasks)}." if self.subtasks else ""
        hidden = "Subtasks that you may not see go too, if there are any."
        parts = [
            f"Delete issue #{self.issue_id} for good?",
            quoted(self.subject),
            below,
            hidden,
            hours,
        ]
        return "\n".join(filter(None, parts))


@plugin.tool(
    title="Delete an issue",
    scopes={"view_issues", "delete_issues"},
    optional_scopes={"view_time_entries"},
    destroys=True,
    listed=False,
)
async def delete_issue(
    issue_id: Annotated[int, Field(ge=1)],
    hours: Annotated[str, Field(description=f"If time is logged: {_WAYS}")] = "",
    confirm: bool = False,
    redmine: Redmine = CurrentRedmine(),
) -> Deleted:
    """Delete an issue with its subtasks. Asks the person first."""
    loss = await _Loss.of(redmine, issue_id)
    way = await _hours(redmine, loss, hours)
    await confirmed(loss.question(way.before), confirm=confirm)
    if await _Loss.of(redmine, issue_id) != loss:
        raise StandsOtherwise
    await redmine.delete(f"/issues/{issue_id}.json", **way.params)
    try:
        await issue_of(redmine, issue_id)
    except NotFound:
        return Deleted(id=issue_id, subtasks=loss.subtasks, hours=way.after)
    raise NotDeleted(f"#{issue_id}")


async def _hours(redmine: Redmine, loss: _Loss, wanted: str) -> _Hours:
    """What to do with logged time. Raises ``BadArgument`` where that was not said, or not well."""
    wanted = wanted.strip()
    if loss.logged == 0:
        return _Hours("", "", {"todo": "destroy"})
    spent = "Time that is logged on it" if loss.logged is None else f"{loss.logged:g} h logged"
    if wanted == "destroy":
        return _Hours(f"{spent}: deleted too.", f"{spent}: deleted.", {"todo": "destroy"})
    if wanted == "keep_on_project":
        kept = f"{spent}: kept on the project."
        return _Hours(kept, kept, {"todo": "nullify"})
    if found := _MOVE.fullmatch(wanted):
        heir = await _heir(redmine, loss, int(found[1]))
        moved = f"{spent}: moved to #{heir}."
        return _Hours(moved, moved, {"todo": "reassign", "reassign_to_id": heir})
    hidden = ", or may be: it is hidden from you" if loss.logged is None else ""
    raise BadArgument(f"{spent}{hidden}. Say in hours what becomes of it: {_WAYS}.")


async def _heir(redmine: Redmine, loss: _Loss, heir: int) -> int:
    """The issue that takes the time over. Redmine says no more than 406 to one that cannot."""
    if heir in {loss.issue_id, *loss.subtasks}:
        raise BadArgument(f"#{heir} is to be deleted itself: time cannot be moved there.")
    if (await issue_of(redmine, heir))["project"]["id"] != loss.project_id:
        raise BadArgument(f"#{heir} is in another project: time cannot be moved there.")
    return heir


def _below(children: Sequence[Mapping[str, Any]]) -> Iterator[int]:
    for child in children:
        yield int(child["id"])
        yield from _below(child.get("children", ()))


def _numbers(ids: Sequence[int]) -> str:
    shown = ", ".join(f"#{number}" for number in ids[:SHOWN_SUBTASKS])
    more = len(ids) - SHOWN_SUBTASKS
    return f"{shown} and {more} more" if more > 0 else shown
