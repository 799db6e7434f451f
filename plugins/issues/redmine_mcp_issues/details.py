"""One issue, told in few words, with what was asked for about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field

from redmine_mcp_core import Quotation, Redmine, Result, cut_text, line, readable
from redmine_mcp_issues.custom import people_in
from redmine_mcp_issues.focus import VIEWS, Focus
from redmine_mcp_issues.journals import JournalEntry, entries_from, issues_in, page_of
from redmine_mcp_issues.linked import (
    LinkedIssue,
    children_of,
    joined,
    linked_ids,
    parent_of,
    read_linked,
    relations_of,
)

FIELD_CHARACTERS = 500
"""How much of a custom field is shown unless all of it is asked for."""


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
    """An issue with what was asked for about it. What is absent is empty, or was not asked for."""

    focus: Focus = "overview"
    before: int | None = None
    """Where one reads on: only journals older than this one are told."""
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
    parent: LinkedIssue | None = None
    is_private: bool = False
    start_date: str | None = None
    due_date: str | None = None
    done_ratio: int = 0
    estimated_hours: float | None = None
    spent_hours: float | None = None
    created_on: str
    updated_on: str
    closed_on: str | None = None
    custom_fields: dict[str, str] = Field(default_factory=dict)
    description: str = ""
    children: tuple[LinkedIssue, ...] = ()
    relations: tuple[LinkedIssue, ...] = ()
    attachments: tuple[File, ...] = ()
    watchers: tuple[str, ...] = ()
    changesets: tuple[Changeset, ...] = ()
    allowed_statuses: tuple[str, ...] = ()
    journals: tuple[JournalEntry, ...] = ()
    journals_total: int = 0
    """How many the issue has of the kind that was asked for."""
    journals_older: int = 0
    """How many are older than those that are told."""
    left_out: int = 0
    """Characters of long texts that were left out."""

    def text(self) -> str:
        quoted = Quotation().enclose("\n".join(filter(None, self._lines())))
        return "\n".join([quoted, *self._left_out()])

    def _lines(self) -> Iterator[str]:
        private = " [private]" if self.is_private else ""
        yield f"#{self.id} {self.subject}{private}"
        yield _dotted(self.tracker, self.status, self.priority, f"project {self.project}")
        view = VIEWS[self.focus]
        if view.fields and self.before is None:
            yield from self._fields()
        if self.parent:
            yield f"Parent: {self.parent.text()}"
        for title, issues in (("Subtasks", self.children), ("Relations", self.relations)):
            if issues:
                yield f"{title}: {joined(issues)}"
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
        entries = [journal.text(numbered=view.numbered) for journal in self.journals]
        # Changes alone are lines of a list; comments are paragraphs.
        gap = "\n\n" if "comments" in view.parts else "\n"
        if entries:
            yield "\n" + gap.join(entries)

    def _fields(self) -> Iterator[str]:
        yield _dotted(
            self.assigned_to and f"assigned to {self.assigned_to}",
            self.author and f"by {self.author}",
            self.category and f"category {self.category}",
            self.version and f"version {self.version}",
        )
        yield _dotted(
            self.start_date and f"starts {self.start_date}",
            self.due_date and f"due {self.due_date}",
            self.done_ratio and f"{self.done_ratio}% done",
            self.estimated_hours and f"{self.estimated_hours:g} h estimated",
            self.spent_hours and f"{self.spent_hours:g} h spent",
        )
        yield _dotted(
            f"created {_minute(self.created_on)}",
            f"updated {_minute(self.updated_on)}",
            self.closed_on and f"closed {_minute(self.closed_on)}",
        )
        short = [f"{name}: {text}" for name, text in self.custom_fields.items() if "\n" not in text]
        yield "; ".join(short)
        for name, text in self.custom_fields.items():
            if "\n" in text:
                # Indented, no line of it can pass for one of this answer.
                yield "\n  ".join([f"{name}:", *text.split("\n")])

    def _left_out(self) -> Iterator[str]:
        """What this answer does not hold, and the call that fetches it."""
        if self.relations and not VIEWS[self.focus].linked:
            yield f"What the related issues are: {self._call(focus='relations')}"
        if self.journals_older:
            kind = {"discussion": "comments", "history": "changes"}.get(self.focus, "journals")
            last = self.journals[-1].id if self.journals else None
            call = self._call(before=last) if last else self._call(journals=25)
            yield f"{self.journals_older} older of {self.journals_total} {kind}: {call}"
        if self.left_out:
            yield f"{self.left_out} characters of long texts left out: {self._call(full_text=True)}"

    def _call(self, **arguments: Any) -> str:
        given = {"issue_id": self.id, "focus": self.focus, **arguments}
        if given["focus"] == "overview":
            del given["focus"]
        shown = ", ".join(f"{name}={_literal(value)}" for name, value in given.items())
        return f"get_issue_details({shown})"


async def details_from(
    issue: Mapping[str, Any],
    redmine: Redmine,
    *,
    focus: Focus = "overview",
    journals: int | None = None,
    before: int | None = None,
    full_text: bool = False,
) -> IssueDetails:
    """Read ``GET /issues/:id.json``; what linked issues are called takes one more question.

    Raises ``BadArgument`` if there is no journal ``before``, and ``RedmineError``.
    """
    view = VIEWS[focus]
    most = view.journals if journals is None else journals
    shown, older, total = page_of(issue.get("journals", ()), view.parts, most=most, before=before)
    whole = before is None
    mentioned = linked_ids(issue) | issues_in(shown, view.parts) if view.linked else set()
    known = await read_linked(redmine, mentioned)
    entries = await entries_from(
        issue,
        shown,
        redmine,
        parts=view.parts,
        subjects={number: line(one["subject"]) for number, one in known.items()},
        note_characters=None if full_text else view.notes,
    )
    description, cut_description = "", 0
    if view.description and whole:
        limit = None if full_text else view.description
        description, cut_description = cut_text(readable(issue.get("description")), limit)
    fields: dict[str, str] = {}
    if view.fields and whole:
        fields = dict(_custom_fields(issue, await people_in(redmine, issue)))
    cuts = {
        name: cut_text(text, None if full_text else FIELD_CHARACTERS)
        for name, text in fields.items()
    }
    return IssueDetails(
        focus=focus,
        before=before,
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
        parent=parent_of(issue, known) if whole and (view.fields or view.linked) else None,
        is_private=bool(issue.get("is_private")),
        start_date=issue.get("start_date"),
        due_date=issue.get("due_date"),
        estimated_hours=issue.get("estimated_hours"),
        spent_hours=issue.get("spent_hours") or None,
        done_ratio=issue.get("done_ratio") or 0,
        created_on=issue["created_on"],
        updated_on=issue["updated_on"],
        closed_on=issue.get("closed_on"),
        custom_fields={name: text for name, (text, _) in cuts.items()},
        description=description,
        children=tuple(children_of(issue, known)),
        relations=tuple(relations_of(issue, known)),
        attachments=tuple(map(_file, issue.get("attachments", ()))),
        watchers=tuple(line(watcher["name"]) for watcher in issue.get("watchers", ())),
        changesets=tuple(
            Changeset(revision=line(item["revision"]), comments=line(item.get("comments")))
            for item in issue.get("changesets", ())
        ),
        allowed_statuses=tuple(
            line(status["name"]) for status in issue.get("allowed_statuses", ())
        ),
        journals=tuple(entries),
        journals_total=total,
        journals_older=older,
        left_out=cut_description
        + sum(entry.left_out for entry in entries)
        + sum(left_out for _, left_out in cuts.values()),
    )


def _name(issue: Mapping[str, Any], field: str) -> str:
    return line(issue.get(field, {}).get("name"))


def _custom_fields(
    issue: Mapping[str, Any], people: Mapping[int, Mapping[str, str]]
) -> Iterator[tuple[str, str]]:
    """The filled-in custom fields; a multiple one with its values joined, people with names."""
    for field in issue.get("custom_fields", ()):
        value = field.get("value")
        values = value if isinstance(value, list) else [str(value or "")]
        names = people.get(field["id"], {})
        text = readable(
            ", ".join(f"{one} ({names[one]})" if one in names else one for one in values)
        )
        if text:
            yield line(field["name"]), text


def _file(attachment: Mapping[str, Any]) -> File:
    return File(
        id=attachment["id"],
        filename=line(attachment["filename"]),
        bytes=attachment["filesize"],
        content_type=line(attachment.get("content_type")),
        description=line(attachment.get("description")),
    )


def _dotted(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)


def _minute(timestamp: str) -> str:
    """``2026-02-01T10:40:00Z`` as ``2026-02-01 10:40`` (Redmine's API speaks UTC)."""
    return timestamp[:16].replace("T", " ")


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int) else f'"{value}"'
