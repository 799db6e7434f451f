"""One issue, read in full and told in few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Redmine, Result, line, shorten, visible
from redmine_mcp_issues.journals import JournalEntry, journals_from

DESCRIPTION_CHARACTERS = 2_000
"""How much of a description is shown unless all of it is asked for."""


class LinkedIssue(BaseModel):
    """Another issue, and how it belongs to this one."""

    id: int
    how: str
    subject: str = ""


class File(BaseModel):
    """An attachment."""

    id: int
    filename: str
    bytes: int
    content_type: str = ""
    description: str = ""


class Changeset(BaseModel):
    """A commit that names the issue."""

    revision: str
    comments: str


class IssueDetails(Result):
    """An issue with what was asked for about it. What is absent is empty in Redmine."""

    id: int
    url: str
    subject: str
    project: str
    tracker: str
    status: str
    priority: str
    author: str = ""
    assigned_to: str | None = None
    category: str | None = None
    version: str | None = None
    parent_id: int | None = None
    is_private: bool = False
    start_date: str | None = None
    due_date: str | None = None
    done_ratio: int = 0
    estimated_hours: float | None = None
    spent_hours: float | None = None
    created_on: str
    updated_on: str
    closed_on: str | None = None
    custom_fields: dict[str, str]
    description: str = ""
    description_left_out: int = 0
    """Characters of the description that were left out."""
    children: tuple[LinkedIssue, ...] = ()
    relations: tuple[LinkedIssue, ...] = ()
    attachments: tuple[File, ...] = ()
    watchers: tuple[str, ...] = ()
    changesets: tuple[Changeset, ...] = ()
    allowed_statuses: tuple[str, ...] = ()
    journals: tuple[JournalEntry, ...] = ()
    journals_total: int = 0

    def text(self) -> str:
        quoted = Quotation().enclose("\n".join(filter(None, self._lines())))
        return "\n".join([quoted, *self._left_out()])

    def _lines(self) -> Iterator[str]:
        private = " [private]" if self.is_private else ""
        yield f"#{self.id} {self.subject}{private}"
        yield _joined(self.tracker, self.status, self.priority, f"project {self.project}")
        yield _joined(
            self.assigned_to and f"assigned to {self.assigned_to}",
            self.author and f"by {self.author}",
            self.category and f"category {self.category}",
            self.version and f"version {self.version}",
            self.parent_id and f"subtask of #{self.parent_id}",
        )
        yield _joined(
            self.start_date and f"starts {self.start_date}",
            self.due_date and f"due {self.due_date}",
            self.done_ratio and f"{self.done_ratio}% done",
            self.estimated_hours and f"{self.estimated_hours:g} h estimated",
            self.spent_hours and f"{self.spent_hours:g} h spent",
        )
        yield _joined(
            f"created {_minute(self.created_on)}",
            f"updated {_minute(self.updated_on)}",
            self.closed_on and f"closed {_minute(self.closed_on)}",
        )
        if self.custom_fields:
            yield "; ".join(f"{name}: {value}" for name, value in self.custom_fields.items())
        for title, linked in (("Subtasks", self.children), ("Relations", self.relations)):
            if linked:
                yield f"{title}: " + "; ".join(_linked(issue) for issue in linked)
        if self.attachments:
            files = (f"{file.filename} ({file.bytes} B, id {file.id})" for file in self.attachments)
            yield "Files: " + "; ".join(files)
        if self.watchers:
            yield f"Watchers: {', '.join(self.watchers)}"
        if self.allowed_statuses:
            yield f"May become: {', '.join(self.allowed_statuses)}"
        for changeset in self.changesets:
            yield f"Commit {changeset.revision[:12]}: {changeset.comments}"
        if self.description:
            yield f"\n{self.description}"
        for journal in self.journals:
            yield f"\n{journal.text()}"

    def _left_out(self) -> Iterator[str]:
        """What this answer does not hold, and the call that fetches it."""
        if older := self.journals_total - len(self.journals):
            total = min(self.journals_total, 1000)
            call = f"get_issue_details(issue_id={self.id}, journals={total})"
            yield f"{older} older of {self.journals_total} journals left out: {call}"
        cut = self.description_left_out + sum(entry.left_out for entry in self.journals)
        if cut:
            call = f"get_issue_details(issue_id={self.id}, full_text=true)"
            yield f"{cut} characters of long texts left out: {call}"


async def details_from(
    issue: dict[str, Any],
    redmine: Redmine,
    *,
    max_journals: int,
    full_text: bool,
) -> IssueDetails:
    """Read ``GET /issues/:id.json``. Raises ``RedmineError`` if reference data is not to be had."""
    description = visible(issue.get("description") or "").strip()
    shown, left_out = shorten(
        description, len(description) if full_text else DESCRIPTION_CHARACTERS
    )
    entries = await journals_from(issue, redmine, limit=max_journals, full_text=full_text)
    return IssueDetails(
        id=issue["id"],
        url=f"{redmine.url}/issues/{issue['id']}",
        subject=line(issue["subject"]),
        project=_name(issue, "project"),
        tracker=_name(issue, "tracker"),
        status=_name(issue, "status"),
        priority=_name(issue, "priority"),
        author=_name(issue, "author"),
        assigned_to=_name(issue, "assigned_to") or None,
        category=_name(issue, "category") or None,
        version=_name(issue, "fixed_version") or None,
        parent_id=issue.get("parent", {}).get("id"),
        is_private=bool(issue.get("is_private")),
        start_date=issue.get("start_date"),
        due_date=issue.get("due_date"),
        estimated_hours=issue.get("estimated_hours"),
        spent_hours=issue.get("spent_hours") or None,
        done_ratio=issue.get("done_ratio") or 0,
        created_on=issue["created_on"],
        updated_on=issue["updated_on"],
        closed_on=issue.get("closed_on"),
        custom_fields=dict(_custom_fields(issue)),
        description=shown,
        description_left_out=left_out,
        children=tuple(_children(issue.get("children", ()))),
        relations=tuple(
            _relation(relation, issue["id"]) for relation in issue.get("relations", ())
        ),
        attachments=tuple(_file(attachment) for attachment in issue.get("attachments", ())),
        watchers=tuple(line(watcher["name"]) for watcher in issue.get("watchers", ())),
        changesets=tuple(
            Changeset(revision=line(item["revision"]), comments=line(item.get("comments")))
            for item in issue.get("changesets", ())
        ),
        allowed_statuses=tuple(
            line(status["name"]) for status in issue.get("allowed_statuses", ())
        ),
        journals=tuple(entries),
        journals_total=len(issue.get("journals", ())),
    )


def _name(issue: dict[str, Any], field: str) -> str:
    return line(issue.get(field, {}).get("name"))


def _custom_fields(issue: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The filled-in custom fields; a multiple one with its values joined."""
    for field in issue.get("custom_fields", ()):
        value = field.get("value")
        text = ", ".join(value) if isinstance(value, list) else str(value or "")
        if text:
            yield line(field["name"]), line(text)


def _children(children: Sequence[dict[str, Any]], depth: int = 0) -> Iterator[LinkedIssue]:
    for child in children:
        how = "subtask" if depth == 0 else "subtask of a subtask"
        yield LinkedIssue(id=child["id"], how=how, subject=line(child.get("subject")))
        yield from _children(child.get("children", ()), depth + 1)


_OTHER_SIDE = {
    "blocks": "blocked by",
    "precedes": "follows",
    "duplicates": "duplicated by",
    "copied_to": "copied from",
}
"""How a relation reads from its other end (app/models/issue_relation.rb, TYPES)."""


def _relation(relation: dict[str, Any], issue_id: int) -> LinkedIssue:
    kind = relation["relation_type"]
    if relation["issue_id"] == issue_id:
        return LinkedIssue(id=relation["issue_to_id"], how=kind.replace("_", " "))
    return LinkedIssue(id=relation["issue_id"], how=_OTHER_SIDE.get(kind, kind))


def _file(attachment: dict[str, Any]) -> File:
    return File(
        id=attachment["id"],
        filename=line(attachment["filename"]),
        bytes=attachment["filesize"],
        content_type=line(attachment.get("content_type")),
        description=line(attachment.get("description")),
    )


def _linked(issue: LinkedIssue) -> str:
    how = "" if issue.how == "subtask" else f"{issue.how} "
    return f"{how}#{issue.id} {issue.subject}".rstrip()


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)


def _minute(timestamp: str) -> str:
    """``2026-02-01T10:40:00Z`` as ``2026-02-01 10:40`` (Redmine's API speaks UTC)."""
    return timestamp[:16].replace("T", " ")
