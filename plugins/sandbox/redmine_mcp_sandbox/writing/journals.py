"""Journals: who changed what in an issue, and said what about it (``Journal``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.seed import Attachment, Issue, Journal, JournalDetail

# The columns of the table `issues` whose changes are noted, in its order.
JOURNALIZED = (
    "tracker_id",
    "project_id",
    "subject",
    "description",
    "due_date",
    "category_id",
    "status_id",
    "assigned_to_id",
    "priority_id",
    "fixed_version_id",
    "author_id",
    "start_date",
    "done_ratio",
    "estimated_hours",
    "parent_id",
    "is_private",
)


class Scribe:
    """Writes the journals of one request: one for each issue, as ``init_journal`` does."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.world = viewer.world
        self._open: dict[int, int] = {}

    def write(
        self,
        issue: Issue,
        details: Iterable[JournalDetail] = (),
        notes: str = "",
        *,
        private: bool = False,
        apart: bool = False,
    ) -> None:
        """Note a change; what is said in private stands in a journal of its own.

        Args:
            apart: The change is not to be joined to another of this request.
        """
        listed = list(details)
        if self.viewer.user is None or not (listed or notes.strip()):
            return
        if issue.id in self._open and not apart:
            journal = self.world.journals[self._open[issue.id]]
            self.world.journals.put(replace(journal, details=[*journal.details, *listed]))
            return
        private = private and bool(notes.strip())
        if private and listed:
            self._add(issue, listed, None, private=False)
            listed = []
        journal = self._add(issue, listed, notes, private=private)
        if not apart:
            self._open[issue.id] = journal.id
        self._watch(issue)

    def _add(
        self, issue: Issue, details: list[JournalDetail], notes: str | None, *, private: bool
    ) -> Journal:
        assert self.viewer.user is not None  # noqa: S101 - `write` has looked
        now = self.world.now()
        user_id = self.viewer.user.id
        return self.world.journals.add(
            Journal(0, issue.id, user_id, notes, private, now, now, details)
        )

    def _watch(self, issue: Issue) -> None:
        """Whoever contributes watches from now on, if allowed to add watchers at all."""
        user = self.viewer.user
        current = self.world.issues.get(issue.id)
        if user is None or current is None:
            return
        project = self.world.projects[current.project_id]
        watching = {user.id, *self.world.group_ids(user)} & set(current.watcher_ids)
        if not watching and self.viewer.allowed("add_issue_watchers", project):
            watchers = [*current.watcher_ids, user.id]
            self.world.issues.put(replace(current, watcher_ids=watchers))


def changes(before: Issue, after: Issue) -> Iterator[JournalDetail]:
    """What is different, first the columns, then the custom fields."""
    for name in JOURNALIZED:
        old, new = _noted(getattr(before, name)), _noted(getattr(after, name))
        if old != new and (old or new):
            yield JournalDetail("attr", name, old, new)
    for field_id in {**before.custom_values, **after.custom_values}:
        old_value = before.custom_values.get(field_id)
        new_value = after.custom_values.get(field_id)
        yield from _custom_change(field_id, old_value, new_value)


def _custom_change(field_id: str, old: Any, new: Any) -> Iterator[JournalDetail]:
    if old == new or not (old or new):
        return
    if not isinstance(old, list) and not isinstance(new, list):
        yield JournalDetail("cf", field_id, old, new)
        return
    gone, come = (one if isinstance(one, list) else [one] for one in (old, new))
    for value in gone:
        if value and value not in come:
            yield JournalDetail("cf", field_id, value, None)
    for value in come:
        if value and value not in gone:
            yield JournalDetail("cf", field_id, None, value)


def attached(attachment: Attachment) -> JournalDetail:
    return JournalDetail("attachment", str(attachment.id), None, attachment.filename)


def detached(attachment: Attachment) -> JournalDetail:
    return JournalDetail("attachment", str(attachment.id), attachment.filename, None)


def child_added(child: Issue) -> JournalDetail:
    return JournalDetail("attr", "child_id", None, str(child.id))


def child_removed(child: Issue) -> JournalDetail:
    return JournalDetail("attr", "child_id", str(child.id), None)


def _noted(value: Any) -> str | None:
    """A value as the journal keeps it."""
    match value:
        case None:
            return None
        case bool():
            return str(int(value))
        case _:
            return str(value)
