"""What is due in a project."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from redmine_mcp_core import CurrentRedmine, Quotation, Redmine, Result, line
from redmine_mcp_deadlines.plugin import plugin

SHOWN = 20
"""A model reads every line of an answer: this many are enough to decide on the next step."""


class Deadline(BaseModel):
    id: int
    subject: str
    due_date: date
    assignee: str = ""

    def row(self) -> str:
        who = f" ({self.assignee})" if self.assignee else ""
        return f"{self.due_date} #{self.id} {self.subject}{who}"


class DeadlineList(Result):
    """The deadlines of a project, the earliest first."""

    total: int
    deadlines: list[Deadline]

    def text(self) -> str:
        if not self.deadlines:
            return "Nothing is due."
        rows = Quotation().enclose("\n".join(deadline.row() for deadline in self.deadlines))
        left_out = self.total - len(self.deadlines)
        return f"{rows}\n{left_out} later ones are left out." if left_out else rows


@plugin.tool(title="List deadlines", scopes={"view_issues", "view_project"}, read_only=True)
async def list_deadlines(
    project: Annotated[str, Field(description="Identifier, name or id")],
    until: Annotated[date | None, Field(description="Default: two weeks from today")] = None,
    redmine: Redmine = CurrentRedmine(),
) -> DeadlineList:
    """List the open issues of a project that are due, earliest first; late ones among them."""
    last = until or date.today() + timedelta(weeks=2)  # noqa: DTZ011 - Redmine's dates have no zone
    found = await redmine.project(project)
    answer = await redmine.get(
        "/issues.json",
        project_id=found["id"],
        due_date=f"<={last}",
        sort="due_date",
        limit=SHOWN,
    )
    deadlines = [
        Deadline(
            id=issue["id"],
            subject=line(issue["subject"]),
            due_date=issue["due_date"],
            assignee=line(issue.get("assigned_to", {}).get("name")),
        )
        for issue in answer["issues"]
    ]
    return DeadlineList(total=answer["total_count"], deadlines=deadlines)
