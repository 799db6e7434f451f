"""One issue as each kind of reader gets it."""

from __future__ import annotations

import pytest

from .answers import BASIC, assert_empty, ids, issue
from .target import SEED, Target


class TestIssue:
    def test_fields(self, redmine: Target) -> None:
        """An issue's own fields, as its project's manager reads them."""
        shown = issue(redmine, "alice", 1)

        assert {
            "id": 1,
            "project": {"id": 1, "name": "Alpha"},
            "tracker": {"id": 2, "name": "Feature"},
            "status": {"id": 2, "name": "In Progress", "is_closed": False},
            "priority": {"id": 4, "name": "Urgent"},
            "author": {"id": 6, "name": "Bob Builder"},
            "assigned_to": {"id": 5, "name": "Alice Ace"},
            "category": {"id": 1, "name": "UI"},
            "fixed_version": {"id": 2, "name": "1.1"},
            "subject": "Rework the login page",
            "description": SEED["issues"][0]["description"],
            "start_date": "2026-01-06",
            "due_date": "2026-02-10",
            "done_ratio": 48,
            "is_private": False,
            "estimated_hours": 1.5,
            "total_estimated_hours": 15.5,
            "spent_hours": 1.75,
            "total_spent_hours": 8.0,
            "custom_fields": [
                {"id": 1, "name": "Customer", "value": "Acme"},
                {"id": 2, "name": "Severity", "value": "high"},
                {"id": 3, "name": "Platforms", "multiple": True, "value": ["linux", "macos"]},
                {"id": 4, "name": "Effort", "value": "8"},
                {"id": 5, "name": "Ratio", "value": "0.75"},
                {"id": 6, "name": "Deploy date", "value": "2026-06-30"},
                {"id": 7, "name": "Billable", "value": "1"},
                {"id": 8, "name": "Reviewer", "value": "6"},
                {
                    "id": 9,
                    "name": "Release note",
                    "value": "The login page was reworked.\nIt is fast now.",
                },
            ],
            "created_on": "2026-01-05T09:01:00Z",
            "updated_on": "2026-02-01T13:10:00Z",
            "closed_on": None,
        } == shown

    def test_children_are_the_visible_ones(self, redmine: Target) -> None:
        """Subtasks come as a tree; a private one only to those who may see it."""
        children = issue(redmine, "alice", 1, "children")["children"]

        support, bug = {"id": 3, "name": "Support"}, {"id": 1, "name": "Bug"}
        why = {"id": 4, "tracker": bug, "subject": "Show why a login failed"}
        assert [
            {"id": 2, "tracker": support, "subject": "Measure how slow the login page is"},
            {
                "id": 3,
                "tracker": {"id": 2, "name": "Feature"},
                "subject": "New form for the login page",
                "children": [why],
            },
            {"id": 5, "tracker": support, "subject": "Ask security about the login form"},
        ] == children
        assert ids(issue(redmine, "carol", 1, "children")["children"]) == [2, 3]
        assert "children" not in issue(redmine, "alice", 2, "children")

    def test_attachments(self, redmine: Target) -> None:
        """An attachment links to its download; the name is percent-encoded there."""
        attachments = issue(redmine, "carol", 1, "attachments")["attachments"]

        assert ids(attachments) == [1, 2, 3]
        assert {
            "id": 3,
            "filename": "Entwurf für Müller.md",
            "filesize": 35,
            "content_type": "text/markdown",
            "description": None,
            "content_url": f"{redmine.base_url}/attachments/download/3/"
            "Entwurf%20f%C3%BCr%20M%C3%BCller.md",
            "author": {"id": 5, "name": "Alice Ace"},
            "created_on": "2026-01-11T12:03:00Z",
        } == attachments[2]

    def test_relations_lead_to_visible_issues_only(self, redmine: Target) -> None:
        """A relation to an issue of a private project is not shown to outsiders."""
        blocks = {
            "id": 2,
            "issue_id": 12,
            "issue_to_id": 1,
            "relation_type": "blocks",
            "delay": None,
        }

        assert ids(issue(redmine, "alice", 1, "relations")["relations"]) == [1, 3, 4, 2]
        relations = issue(redmine, "carol", 1, "relations")["relations"]
        assert ids(relations) == [1, 4, 2]
        assert blocks == relations[-1]
        assert "relations" not in issue(redmine, "carol", 9, "relations")

    def test_journals_hide_private_notes(self, redmine: Target) -> None:
        """Private notes are for those with the permission, and for whoever wrote them."""
        shown = {
            login: issue(redmine, login, 1, "journals")["journals"]
            for login in ("alice", "bob", "carol", "dave")
        }

        everything = list(range(1, 33))
        assert everything == ids(shown["alice"]) == ids(shown["bob"])
        # 9 to 11 are private notes, 11 is carol's own; 14 mentions nothing but issue 43.
        assert [n for n in everything if n not in (9, 10, 14)] == ids(shown["carol"])
        assert [n for n in everything if n not in (9, 10, 11, 14)] == ids(shown["dave"])
        assert shown["carol"][5] == {
            "id": 6,
            "user": {"id": 5, "name": "Alice Ace"},
            "notes": "Thank you. Let us start with the form.",
            "created_on": "2026-02-01T08:50:00Z",
            "updated_on": "2026-02-01T08:50:00Z",
            "private_notes": False,
            "details": [
                {"property": "attr", "name": "status_id", "old_value": "1", "new_value": "2"},
                {"property": "attr", "name": "assigned_to_id", "old_value": None, "new_value": "5"},
            ],
        }

    def test_watchers_need_a_permission(self, redmine: Target) -> None:
        """Only a manager sees who watches; others miss the key altogether."""
        assert ids(issue(redmine, "alice", 1, "watchers")["watchers"]) == [5, 6, 7]
        assert "watchers" not in issue(redmine, "bob", 1, "watchers")

    @pytest.mark.parametrize(
        ("login", "number", "allowed"),
        [
            ("alice", 1, [1, 2, 3, 4]),
            ("bob", 1, [2, 3, 4]),
            ("carol", 1, [2]),
            ("alice", 10, [1, 2, 3, 4, 5, 6]),
            ("bob", 10, []),
            ("bob", 6, [1, 2, 3, 4, 5]),
            ("carol", 6, [1, 5]),
            ("dave", 6, []),
        ],
    )
    def test_allowed_statuses(
        self, redmine: Target, login: str, number: int, allowed: list[int]
    ) -> None:
        """The workflow's transitions; an issue with open subtasks or blockers cannot be closed."""
        shown = issue(redmine, login, number, "allowed_statuses")

        assert allowed == ids(shown["allowed_statuses"])

    def test_text_is_handed_on_as_written(self, redmine: Target) -> None:
        """Invisible characters and markup in a description arrive unchanged."""
        description = issue(redmine, "carol", 18)["description"]

        assert description == SEED["issues"][17]["description"]
        assert {"\u200b", "\u202e", "\U000e0068"} <= set(description)

    def test_refusals(self, redmine: Target) -> None:
        """Hidden from a known user: 403; from somebody unknown: 401; not there: 404."""
        for number in (7, 43):
            assert_empty(redmine.as_user("carol", f"/issues/{number}.json"), 403)
            assert_empty(redmine.get(f"/issues/{number}.json"), 401, BASIC)
        assert_empty(redmine.as_user("carol", "/issues/99999.json"), 404)
        assert_empty(redmine.get("/issues/99999.json"), 404)
