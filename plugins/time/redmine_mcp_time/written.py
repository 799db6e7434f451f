"""What came of a write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Result
from redmine_mcp_time.rows import TimeEntry

_HEAD = {
    "logged": "Logged as time entry {id}.",
    "exists": "Logged with this idempotency key before, as time entry {id}; nothing was written.",
    "changed": "Time entry {id} is changed.",
    "unchanged": "Time entry {id} is as it was.",
    "deleted": "Time entry {id} is deleted.",
    "dry_run": "Dry run: nothing was written.",
}


class Change(BaseModel):
    """What an attribute held, and what it holds."""

    field: str
    before: str
    after: str


class WrittenTimeEntry(Result):
    """What a write did, or a dry run found."""

    outcome: Literal["logged", "exists", "changed", "unchanged", "deleted", "dry_run"]
    id: int | None = None
    entry: TimeEntry | None = None
    """The entry as it is now, or was before it was deleted."""
    changes: tuple[Change, ...] = ()
    dropped: tuple[str, ...] = ()
    """What was asked for and did not come about, without a word from Redmine."""
    problems: tuple[str, ...] = ()
    """Why the write would fail; only of a dry run."""
    unknown: str = ""
    """What Redmine does not tell before the write; only of a dry run."""

    def text(self) -> str:
        body = "\n".join(self._rows())
        parts = [_HEAD[self.outcome].format(id=self.id), Quotation().enclose(body) if body else ""]
        if self.outcome == "dry_run" and not self.problems:
            parts.append("Nothing speaks against it.")
        if self.unknown:
            parts.append(f"Not known: {self.unknown}.")
        return "\n".join(filter(None, parts))

    def _rows(self) -> Iterator[str]:
        if self.entry:
            yield self.entry.row()
        for change in self.changes:
            yield f"{change.field}: {change.before} → {change.after}"
        if self.dropped:
            yield f"Silently dropped by Redmine: {', '.join(self.dropped)}."
        if self.problems:
            yield f"It would fail: {' '.join(self.problems)}"
