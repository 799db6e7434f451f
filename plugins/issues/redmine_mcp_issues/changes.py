"""What came of a write: what changed, and what Redmine silently dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Result, line
from redmine_mcp_issues.attributes import Value, snapshot

_HEAD = {
    "created": "#{id} created.",
    "exists": "#{id} was created with this idempotency key before, and not again.",
    "updated": "#{id} updated, updated_on {updated_on}.",
    "unchanged": "#{id} is as it was.",
    "unread": "#{id} was written, but could not be read back: look at it.",
    "dry_run": "Dry run: nothing was written.",
}
_WHY = "Your role, the workflow, the tracker or subtasks decide that."


class Change(BaseModel):
    """What an attribute held, if there was an issue, and what it holds or is to hold."""

    field: str
    before: str = ""
    after: str

    def text(self) -> str:
        if not self.before:
            return f"{self.field}: {self.after}"
        if self.before == self.after:
            return f"{self.field} changed"
        return f"{self.field}: {self.before} → {self.after}"


class WrittenIssue(Result):
    """What a write did, or a dry run found."""

    outcome: Literal["created", "exists", "updated", "unchanged", "unread", "dry_run"]
    id: int | None = None
    url: str | None = None
    updated_on: str | None = None
    summary: str = ""
    """What a new issue is, in one line."""
    changes: tuple[Change, ...] = ()
    done: tuple[str, ...] = ()
    """What was done besides attributes: a note, time, relations, watchers."""
    dropped: tuple[str, ...] = ()
    """What was asked for and did not come about, without a word from Redmine."""
    failed: tuple[str, ...] = ()
    """What was refused after the issue itself was written, with the reason."""
    problems: tuple[str, ...] = ()
    """Why the write would fail; only of a dry run."""
    unknown: tuple[str, ...] = ()
    """What Redmine does not tell before the write; only of a dry run."""

    def text(self) -> str:
        rows = [
            self.summary,
            *(change.text() for change in self.changes),
            f"Also: {'; '.join(self.done)}." if self.done else "",
            f"Silently dropped by Redmine: {'; '.join(self.dropped)}. {_WHY}"
            if self.dropped
            else "",
            f"Not done: {'; '.join(self.failed)}." if self.failed else "",
            f"It would fail: {' '.join(self.problems)}" if self.problems else "",
        ]
        body = "\n".join(filter(None, rows))
        parts = [
            _HEAD[self.outcome].format(id=self.id, updated_on=self.updated_on),
            Quotation().enclose(body) if body else "",  # each of these rows may hold names
            *self._verdict(),
        ]
        return "\n".join(filter(None, parts))

    def _verdict(self) -> Iterator[str]:
        if self.outcome == "dry_run":
            yield "" if self.problems else "Nothing speaks against it."
            yield f"Not known: {'; '.join(self.unknown)}." if self.unknown else ""


def changes_between(before: Mapping[str, Value], after: Mapping[str, Value]) -> tuple[Change, ...]:
    """What differs. A field that the issue has only now is told, too."""
    told = []
    for key, now in after.items():
        was = before.get(key, Value(now.label, None))
        if was.value != now.value:
            told.append(Change(field=now.label, before=str(was), after=str(now)))
    return tuple(told)


def planned(issue: Mapping[str, Any] | None, wanted: Mapping[str, Value]) -> tuple[Change, ...]:
    """What a write would change, if Redmine takes all of it."""
    if issue is None:
        return tuple(Change(field=value.label, after=str(value)) for value in wanted.values())
    held = snapshot(issue)
    return changes_between(
        held, {key: value for key, value in wanted.items() if not _came(value, held.get(key))}
    )


def dropped_of(wanted: Mapping[str, Value], issue: Mapping[str, Any]) -> list[str]:
    """The attributes that do not hold what was asked for."""
    held = snapshot(issue)
    return [
        f"{value.label} → {value}"
        for key, value in wanted.items()
        if not _came(value, held.get(key))
    ]


def _came(wanted: Value, held: Value | None) -> bool:
    if held is None:
        return wanted.value is None
    if isinstance(held.value, tuple) and isinstance(wanted.value, str):
        return held.value == (wanted.value,)
    return bool(held.value == wanted.value)


def summary_of(issue: Mapping[str, Any]) -> str:
    """What an issue is, in one line: with what Redmine filled in by itself."""
    names = [line(issue[key]["name"]) for key in ("project", "tracker", "status", "priority")]
    if "assigned_to" in issue:
        names.append(f"assigned to {line(issue['assigned_to']['name'])}")
    if "parent" in issue:
        names.append(f"subtask of #{issue['parent']['id']}")
    return " · ".join([*names, *(["private"] if issue.get("is_private") else [])])


def noted(issue: Mapping[str, Any], notes: str, *, private: bool) -> bool:
    """Whether an issue read with its journals has this note, among the newest of them."""
    newest: Sequence[Mapping[str, Any]] = issue.get("journals", ())[-5:]
    return any(
        _same_text(journal.get("notes") or "", notes)
        and bool(journal.get("private_notes")) == private
        for journal in newest
    )


def _same_text(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
