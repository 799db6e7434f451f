"""Writing an issue, with all that follows from it: Redmine's callbacks around ``Issue#save``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from redmine_mcp_sandbox.permissions import Viewer
from redmine_mcp_sandbox.seed import Attachment, Issue, JournalDetail
from redmine_mcp_sandbox.writing import custom_values, derived, journals, scheduling
from redmine_mcp_sandbox.writing.draft import Draft
from redmine_mcp_sandbox.writing.journals import Scribe


class Saver:
    """Writes the issues of one request, and their journals."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.world = viewer.world
        self.scribe = Scribe(viewer)

    def create(self, draft: Draft, files: Iterable[Attachment] = ()) -> Issue:
        """Keep a new issue; its draft has no complaints."""
        self._assign_by_category(draft)
        now = self.world.now()
        closed = self.world.statuses[draft.columns["status_id"]].is_closed
        draft.columns |= {
            "created_on": now,
            "updated_on": now,
            "closed_on": now if closed else None,
        }
        issue = self.world.issues.add(self._clean(draft))
        self._attach(issue, files)
        if issue.parent_id:
            self._note_in_parent(issue.parent_id, journals.child_added(issue))
            self.recalculate(issue.parent_id)
        self._watch_own(issue)
        return self.world.issues[issue.id]

    def update(self, draft: Draft, files: Iterable[Attachment] = ()) -> Issue:
        """Keep what has changed; its draft has no complaints."""
        before = draft.before
        assert before is not None  # noqa: S101 - a draft for updating
        after = self._clean(draft)
        added = self._attach(before, files)
        if after != before or added or draft.notes.strip():
            after = self._touched(before, after)
        self.world.issues.put(after)
        if self._closes(before, after):
            self._close_duplicates(after, draft)
        self._date_followers(before, after)
        removed = self._delete_attachments(after, draft.deleted_attachment_ids)
        details = [*added, *journals.changes(before, after), *removed]
        self.scribe.write(after, details, draft.notes, private=draft.private_notes)
        if after.project_id != before.project_id:
            self._follow_into_project(after)
        if after.parent_id != before.parent_id:
            if before.parent_id:
                self._note_in_parent(before.parent_id, journals.child_removed(after))
            if after.parent_id:
                self._note_in_parent(after.parent_id, journals.child_added(after))
        for parent_id in dict.fromkeys((before.parent_id, after.parent_id)):
            if parent_id:
                self.recalculate(parent_id)
        return self.world.issues[after.id]

    def delete(self, issue: Issue) -> None:
        """Delete an issue with its subtasks and everything that hangs on them."""
        gone = {issue.id, *(one.id for one in self.world.descendants(issue))}
        world = self.world
        world.issue_relations.delete_where(
            lambda one: bool({one.issue_from_id, one.issue_to_id} & gone)
        )
        world.journals.delete_where(lambda one: one.issue_id in gone)
        world.attachments.delete_where(lambda one: one.issue_id in gone)
        world.time_entries.delete_where(lambda one: one.issue_id in gone)
        world.issues.delete_where(lambda one: one.id in gone)
        if issue.parent_id:
            self._note_in_parent(issue.parent_id, journals.child_removed(issue))
            self.recalculate(issue.parent_id)

    def recalculate(self, parent_id: int) -> None:
        """Derive a parent's dates, priority and progress, and its own parent's."""
        before = self.world.issues[parent_id]
        after = derived.from_subtasks(self.world, before)
        if after != before:
            self.world.issues.put(self._touched(before, after))
            self._date_followers(before, after, noted=False)
        if before.parent_id:
            self.recalculate(before.parent_id)

    def reschedule(self, issue: Issue, day: date, *, noted: bool = True) -> None:
        """Let an issue start on a day, if it does not already (``Issue#reschedule_on!``)."""
        leaves = [one for one in self.world.descendants(issue) if not self.world.children(one)]
        for leaf in leaves:
            early = leaf.start_date is None or leaf.start_date < day.isoformat()
            if early or leaf.start_date == issue.start_date:
                self.reschedule(leaf, day, noted=False)
        if leaves or issue.start_date == day.isoformat():
            return
        if issue.start_date and issue.start_date > day.isoformat():
            day = max(scheduling.soonest_start(self.world, issue) or day, day)
        start, due = scheduling.rescheduled(issue, day)
        after = replace(issue, start_date=start, due_date=due)
        if after == issue:
            return
        self.world.issues.put(self._touched(issue, after))
        self._date_followers(issue, after, noted=noted)
        if issue.parent_id:
            self.recalculate(issue.parent_id)
        if noted:
            self.scribe.write(after, journals.changes(issue, after))

    def _clean(self, draft: Draft) -> Issue:
        issue = draft.issue()
        return replace(issue, custom_values=custom_values.saved(self.world, issue.custom_values))

    def _touched(self, before: Issue, after: Issue) -> Issue:
        now = self.world.now()
        closed_on = now if self._closes(before, after) else before.closed_on
        version = before.lock_version + 1
        return replace(after, updated_on=now, closed_on=closed_on, lock_version=version)

    def _closes(self, before: Issue, after: Issue) -> bool:
        return self.world.is_closed(after) and not self.world.is_closed(before)

    def _assign_by_category(self, draft: Draft) -> None:
        """Without an assignee, the category's takes the issue, or the project's."""
        if draft.columns["assigned_to_id"] is not None or draft.project is None:
            return
        category = self.world.categories.get(draft.columns["category_id"] or 0)
        heirs = (category and category.assigned_to_id, draft.project.default_assigned_to_id)
        assignable = draft.assignable_ids()
        draft.columns["assigned_to_id"] = next((one for one in heirs if one in assignable), None)

    def _attach(self, issue: Issue, files: Iterable[Attachment]) -> list[JournalDetail]:
        kept = [self.world.attachments.put(replace(one, issue_id=issue.id)) for one in files]
        return [journals.attached(one) for one in kept]

    def _delete_attachments(self, issue: Issue, ids: Iterable[int]) -> list[JournalDetail]:
        gone = [one for one in self.world.attachments_of(issue) if one.id in set(ids)]
        for attachment in gone:
            del self.world.attachments[attachment.id]
        return [journals.detached(one) for one in gone]

    def _note_in_parent(self, parent_id: int, detail: JournalDetail) -> None:
        parent = self.world.issues[parent_id]
        if self.viewer.finds_issue(parent):
            self.world.issues.put(self._touched(parent, parent))
            self.scribe.write(parent, [detail], apart=True)

    def _watch_own(self, issue: Issue) -> None:
        """An author watches the issue, if allowed to add watchers at all."""
        project = self.world.projects[issue.project_id]
        unwatched = issue.author_id not in issue.watcher_ids
        if unwatched and self.viewer.allowed("add_issue_watchers", project):
            current = self.world.issues[issue.id]
            watchers = [*current.watcher_ids, issue.author_id]
            self.world.issues.put(replace(current, watcher_ids=watchers))

    def _close_duplicates(self, issue: Issue, draft: Draft) -> None:
        for relation in self.world.relations_of(issue):
            duplicate = self.world.issues[relation.issue_from_id]
            if relation.relation_type != "duplicates" or duplicate.id == issue.id:
                continue
            if not self.world.is_closed(duplicate):
                closed = replace(duplicate, status_id=issue.status_id)
                self.world.issues.put(self._touched(duplicate, closed))
                details = journals.changes(duplicate, closed)
                self.scribe.write(closed, details, draft.notes, private=draft.private_notes)

    def _follow_into_project(self, issue: Issue) -> None:
        for entry in self.world.time_entries_of(issue):
            self.world.time_entries.put(replace(entry, project_id=issue.project_id))
        for child in self.world.children(issue):
            draft = Draft(self.viewer, child)
            draft.move_to(self.world.projects[issue.project_id])
            self.world.issues.put(self._touched(child, draft.issue()))
            self._follow_into_project(draft.issue())
            self.recalculate(issue.id)

    def _date_followers(self, before: Issue, after: Issue, *, noted: bool = True) -> None:
        if (before.start_date, before.due_date) == (after.start_date, after.due_date):
            return
        for relation in self.world.relations_of(after):
            day = scheduling.successor_soonest_start(self.world, relation)
            if relation.issue_from_id == after.id and day:
                self.reschedule(self.world.issues[relation.issue_to_id], day, noted=noted)
