"""Putting a deadline off."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from redmine_mcp_core import BadArgument, CurrentRedmine, Redmine, Result
from redmine_mcp_deadlines.plugin import plugin


class Postponed(Result):
    """What became of a deadline."""

    id: int
    before: date | None
    after: date | None

    def text(self) -> str:
        if self.before == self.after:
            return f"#{self.id} is still due {self.before}: Redmine did not take the change."
        return f"#{self.id} was due {self.before or 'on no day'} and is now due {self.after}."


@plugin.tool(
    title="Put a deadline off",
    scopes={"view_issues", "edit_issues", "add_issue_notes"},
    listed=False,
)
async def postpone_issue(
    issue_id: Annotated[int, Field(ge=1)],
    due_date: date,
    reason: Annotated[str, Field(min_length=3, description="Is written below the issue")],
    redmine: Redmine = CurrentRedmine(),
) -> Postponed:
    """Move an issue's due date to a later day, with a comment that says why."""
    path = f"/issues/{issue_id}.json"
    before = due((await redmine.get(path))["issue"])
    if before and due_date <= before:
        raise BadArgument(f"It is due on {before} already; take a later day.")
    await redmine.put(path, {"issue": {"due_date": str(due_date), "notes": reason}})
    after = due((await redmine.get(path))["issue"])
    if before != after:
        plugin.postponed.inc()
    return Postponed(id=issue_id, before=before, after=after)


def due(issue: dict[str, str]) -> date | None:
    """Redmine leaves a field out, or gives null or an empty text, where there is no date."""
    text = issue.get("due_date")
    return date.fromisoformat(text) if text else None
