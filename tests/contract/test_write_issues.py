"""Writing issues through Redmine's REST API: what is taken, dropped, refused and noted."""

from __future__ import annotations

from typing import Any

import pytest

from .answers import BASIC, assert_empty
from .target import Target
from .writes import assert_done, assert_invalid, change, create, details, issue, last_journal


class TestCreate:
    def test_answers_with_the_issue_and_its_place(self, fresh_redmine: Target) -> None:
        """201 shows the new issue, with defaults for what was not said."""
        reply = create(fresh_redmine, project_id="alpha", subject="New")
        shown = reply.json()["issue"]

        assert reply.status_code == 201
        assert reply.headers["Location"] == f"{fresh_redmine.base_url}/issues/{shown['id']}"
        assert shown["tracker"]["name"] == "Bug"
        assert shown["status"]["name"] == "New"
        assert shown["priority"]["name"] == "Normal"
        assert shown["author"]["name"] == "Alice Ace"
        assert shown["description"] is None
        assert shown["created_on"] == shown["updated_on"]
        assert shown["custom_fields"][2]["value"] == []

    def test_every_complaint_at_once(self, fresh_redmine: Target) -> None:
        """422 lists everything that is wrong, custom fields first, in Redmine's words."""
        reply = create(
            fresh_redmine,
            project_id=1,
            subject=" ",
            assigned_to_id=99,
            category_id=99,
            fixed_version_id=99,
            priority_id=99,
            due_date="tomorrow",
            estimated_hours="long",
            parent_issue_id=99,
            custom_fields=[{"id": 2, "value": "worst"}, {"id": 4, "value": "many"}],
        )

        assert_invalid(
            reply,
            "Severity is not included in the list",
            "Effort is not a number",
            "Subject cannot be blank",
            "Priority cannot be blank",
            "Estimated time is invalid",
            "Due date is not a valid date",
            "Target version is not included in the list",
            "Category is not included in the list",
            "Assignee is invalid",
            "Parent task is invalid",
        )

    def test_unknown_tracker_and_status_are_dropped(self, fresh_redmine: Target) -> None:
        """No complaint: the first tracker and the first status are taken; a new issue is New."""
        fields: dict[str, Any] = {"project_id": 1, "subject": "x", "tracker_id": 99, "status_id": 3}
        shown = create(fresh_redmine, **fields).json()["issue"]

        assert shown["tracker"]["name"] == "Bug"
        assert shown["status"]["name"] == "New"

    def test_unknown_project_is_none(self, fresh_redmine: Target) -> None:
        """A project that does not exist, or takes no issues from the user, is no project."""
        for project, login in (("nope", "alice"), ("gamma", "dave")):
            assert_invalid(
                create(fresh_redmine, login, project_id=project, subject="x"),
                "Project cannot be blank",
                "Tracker cannot be blank",
                "Status cannot be blank",
            )
        path = "/projects/gamma/issues.json"
        assert_empty(fresh_redmine.send("dave", "POST", path, {"issue": {"subject": "x"}}), 403)
        assert_empty(fresh_redmine.send(None, "POST", path, {"issue": {}}), 401, BASIC)

    def test_what_the_role_forbids_is_dropped(self, fresh_redmine: Target) -> None:
        """A reporter's wishes for privacy, watchers and a parent vanish without a word."""
        fields = {"is_private": True, "watcher_user_ids": [5], "parent_issue_id": 1}
        shown = create(fresh_redmine, "carol", project_id=1, subject="x", **fields).json()["issue"]

        assert shown["is_private"] is False
        assert "parent" not in shown
        assert issue(fresh_redmine, shown["id"])["watchers"] == []

    def test_unknown_watcher_is_not_found(self, fresh_redmine: Target) -> None:
        """One unknown watcher fails the whole creation, with 404."""
        reply = create(fresh_redmine, project_id=1, subject="x", watcher_user_ids=[6, 99])

        assert (reply.status_code, reply.json()) == (404, {"status": 404, "error": "Not Found"})

    def test_category_brings_its_assignee(self, fresh_redmine: Target) -> None:
        """Without an assignee the category's takes the issue."""
        shown = create(fresh_redmine, "dave", project_id=1, subject="x", category_id=2).json()

        assert shown["issue"]["assigned_to"]["name"] == "Alice Ace"

    def test_including_journals_is_a_server_error(self, fresh_redmine: Target) -> None:
        """Redmine 6.1 creates the issue, and then fails to show its journals."""
        body = {"issue": {"project_id": 1, "subject": "Made all the same"}}
        reply = fresh_redmine.send("alice", "POST", "/issues.json?include=journals", body)
        newest = fresh_redmine.as_user("alice", "/issues.json", limit=1).json()["issues"][0]

        assert reply.status_code == 500
        assert newest["subject"] == "Made all the same"

    def test_body_that_is_no_json(self, fresh_redmine: Target) -> None:
        """A body that claims to be JSON and is not: 400."""
        headers = {"Content-Type": "application/json"}
        reply = fresh_redmine.http.post("/issues.json", content=b"{oops", headers=headers)

        assert reply.status_code == 400

    def test_copy(self, fresh_redmine: Target) -> None:
        """``copy_from`` brings everything but the status and the dates of its making."""
        body = {"copy_from": 12, "link_copy": "1", "issue": {"subject": "Twin"}}
        reply = fresh_redmine.send("alice", "POST", "/projects/alpha/issues.json", body)
        twin = issue(fresh_redmine, reply.json()["issue"]["id"])

        assert twin["subject"] == "Twin"
        assert twin["priority"]["name"] == "High"
        assert twin["author"]["name"] == "Alice Ace"
        assert twin["relations"][0]["relation_type"] == "copied_to"
        bob = fresh_redmine.send("bob", "POST", "/projects/alpha/issues.json", body)
        assert_empty(bob, 403)


class TestUpdate:
    def test_journal_tells_what_changed(self, fresh_redmine: Target) -> None:
        """204 without a body; the journal has the details in Redmine's order."""
        reply = change(
            fresh_redmine,
            9,
            notes="Done.",
            subject="Dark",
            estimated_hours="1:30",
            is_private=True,
            fixed_version_id="",
            custom_fields=[{"id": 1, "value": "X"}, {"id": 3, "value": ["windows"]}],
        )
        journal = last_journal(fresh_redmine, 9)

        assert_done(reply)
        assert (journal["notes"], journal["private_notes"]) == ("Done.", False)
        assert details(journal) == [
            ("attr", "subject", "Dark theme", "Dark"),
            ("attr", "fixed_version_id", "3", None),
            ("attr", "estimated_hours", None, "1.5"),
            ("attr", "is_private", "0", "1"),
            ("cf", "1", "Globex", "X"),
            ("cf", "3", "linux", None),
            ("cf", "3", "macos", None),
            ("cf", "3", None, "windows"),
        ]

    def test_status_beyond_the_workflow_is_dropped(self, fresh_redmine: Target) -> None:
        """A status that the role cannot give leaves the old one, without a word."""
        assert_done(change(fresh_redmine, 8, "bob", status_id=6, notes="Rejected?"))
        journal = last_journal(fresh_redmine, 8)
        assert_done(change(fresh_redmine, 8, "bob", status_id=5))

        assert details(journal) == []
        assert issue(fresh_redmine, 8)["status"]["name"] == "Closed"
        assert issue(fresh_redmine, 8)["closed_on"] == issue(fresh_redmine, 8)["updated_on"]

    def test_reporter_may_only_comment(self, fresh_redmine: Target) -> None:
        """Attributes are dropped, the note is kept."""
        assert_done(change(fresh_redmine, 8, "carol", subject="Mine", notes="Still so."))

        assert issue(fresh_redmine, 8)["subject"] == "Search finds nothing for words with umlauts"
        assert last_journal(fresh_redmine, 8)["notes"] == "Still so."

    def test_null_leaves_the_assignee(self, fresh_redmine: Target) -> None:
        """``null`` is no wish for assignee and status; an empty text takes the assignee away."""
        assert_done(change(fresh_redmine, 8, assigned_to_id=None, category_id=None))
        before = issue(fresh_redmine, 8).get("assigned_to")
        assert_done(change(fresh_redmine, 8, assigned_to_id=""))

        assert before == {"id": 6, "name": "Bob Builder"}
        assert "assigned_to" not in issue(fresh_redmine, 8)

    def test_private_note_stands_apart(self, fresh_redmine: Target) -> None:
        """What changed is public, in a journal of its own without notes; the note is private."""
        assert_done(change(fresh_redmine, 8, subject="S", notes="psst", private_notes=True))
        public, private = issue(fresh_redmine, 8)["journals"]

        assert details(public) == [
            ("attr", "subject", "Search finds nothing for words with umlauts", "S")
        ]
        assert (public["notes"], private["notes"]) == (None, "psst")
        assert last_journal(fresh_redmine, 8, "carol") == public

    def test_nothing_to_do(self, fresh_redmine: Target) -> None:
        """A change that changes nothing leaves no trace."""
        before = issue(fresh_redmine, 9)
        assert_done(change(fresh_redmine, 9, subject="Dark theme"))
        assert_done(fresh_redmine.send("alice", "PUT", "/issues/9.json", {}))

        assert before == issue(fresh_redmine, 9)

    def test_lock_version(self, fresh_redmine: Target) -> None:
        """A new issue has version 1; after a change that number is stale: 422 without words."""
        number = create(fresh_redmine, project_id=1, subject="x").json()["issue"]["id"]
        assert_done(change(fresh_redmine, number, subject="y", lock_version=1))

        assert_invalid(change(fresh_redmine, number, subject="z", lock_version=1))
        assert issue(fresh_redmine, number)["subject"] == "y"
        assert "lock_version" not in issue(fresh_redmine, number)

    def test_time_in_the_same_call(self, fresh_redmine: Target) -> None:
        """``time_entry`` beside ``issue`` logs time; if it is wrong, nothing is changed."""
        body = {"issue": {"notes": "n"}, "time_entry": {"hours": "2h", "activity_id": 9}}
        assert_done(fresh_redmine.send("alice", "PUT", "/issues/9.json", body))
        body["time_entry"] = {"hours": "2h"}
        refused = fresh_redmine.send("alice", "PUT", "/issues/9.json", body)

        assert_invalid(refused, "Log time is invalid")
        assert issue(fresh_redmine, 9)["spent_hours"] == 2.0
        assert len(issue(fresh_redmine, 9)["journals"]) == 1

    def test_closed_version_keeps_an_issue_closed(self, fresh_redmine: Target) -> None:
        """An issue of a closed version cannot be opened again."""
        assert_invalid(
            change(fresh_redmine, 10, status_id=1),
            "An issue assigned to a closed version cannot be reopened",
        )

    def test_subtasks_decide_for_their_parent(self, fresh_redmine: Target) -> None:
        """A parent takes dates, priority and progress from its subtasks; wishes are dropped."""
        assert_done(change(fresh_redmine, 4, done_ratio=100, due_date="2026-03-01"))
        assert_done(change(fresh_redmine, 3, due_date="2026-04-01", priority_id=1, subject="S"))
        parent = issue(fresh_redmine, 3)

        assert parent["subject"] == "S"
        assert (parent["due_date"], parent["done_ratio"]) == ("2026-03-01", 100)
        assert parent["priority"]["name"] == "Urgent"

    def test_parent_notes_its_subtasks(self, fresh_redmine: Target) -> None:
        """Both ends of a subtask note it: the child ``parent_id``, the parent ``child_id``."""
        assert_done(change(fresh_redmine, 8, parent_issue_id=6))
        assert_invalid(change(fresh_redmine, 6, parent_issue_id=8), "Parent task is invalid")

        assert details(last_journal(fresh_redmine, 8)) == [("attr", "parent_id", None, "6")]
        assert details(last_journal(fresh_redmine, 6)) == [("attr", "child_id", None, "8")]

    def test_refusals(self, fresh_redmine: Target) -> None:
        """Hidden or not allowed: 403; not there: 404; somebody unknown: 401."""
        assert_empty(change(fresh_redmine, 7, "carol", subject="x"), 403)
        assert_empty(change(fresh_redmine, 99999, subject="x"), 404)
        assert_empty(fresh_redmine.send(None, "PUT", "/issues/9.json", {}), 401, BASIC)


class TestWorkflow:
    """What the workflow requires of a Developer, or keeps from them, in a Support issue."""

    def test_required_fields(self, fresh_redmine: Target) -> None:
        """For the status that it is to have; a field that is not sent counts as it is."""
        fields = [{"id": 2, "value": ""}]
        resolved = {"status_id": 3, "custom_fields": fields, "due_date": ""}

        assert_invalid(
            change(fresh_redmine, 5, "bob", **resolved),
            "Due date cannot be blank",
            "Severity cannot be blank",
        )
        assert_done(change(fresh_redmine, 5, "alice", **resolved))

    def test_read_only_fields(self, fresh_redmine: Target) -> None:
        """They are dropped without a word; for the status that it is to have, again."""
        fields = [{"id": 4, "value": "3"}]
        before = issue(fresh_redmine, 5)
        assert_done(change(fresh_redmine, 5, "bob", priority_id=1, custom_fields=fields))
        assert issue(fresh_redmine, 5) == before

        assert_done(change(fresh_redmine, 5, "bob", status_id=2, priority_id=1))
        assert issue(fresh_redmine, 5)["priority"]["name"] == "Low"

    def test_new_issue(self, fresh_redmine: Target) -> None:
        """A new one begins with the first status, and its rules."""
        wishes = {"project_id": 1, "tracker_id": 3, "subject": "x", "priority_id": 5}
        shown = create(fresh_redmine, "bob", **wishes).json()["issue"]

        assert shown["priority"]["name"] == "Normal"

    def test_wrong_values_of_read_only_fields(self, fresh_redmine: Target) -> None:
        """Nobody complains of what is dropped, and of each other wrong value somebody does."""
        wrong = {"priority_id": 0, "due_date": "x", "lock_version": -1}

        assert_invalid(change(fresh_redmine, 5, "bob", **wrong), "Due date is not a valid date")
        assert_invalid(
            change(fresh_redmine, 5, "alice", **wrong),
            "Priority cannot be blank",
            "Due date is not a valid date",
        )


class TestDelete:
    def test_takes_subtasks_and_relations_along(self, fresh_redmine: Target) -> None:
        """A deleted issue is gone with its subtasks; others lose their relation to it."""
        assert_empty(fresh_redmine.send("bob", "DELETE", "/issues/1.json"), 403)
        assert_done(fresh_redmine.send("alice", "DELETE", "/issues/1.json"))

        for number in (1, 2, 3, 4, 5):
            path = f"/issues/{number}.json"
            assert_empty(fresh_redmine.as_user("alice", path), 404)
        assert "relations" not in issue(fresh_redmine, 21)

    @pytest.mark.parametrize(
        ("todo", "left"), [("", [10]), ("todo=nullify", [10, 7]), ("todo=destroy", [10])]
    )
    def test_time_spent(self, fresh_redmine: Target, todo: str, left: list[int]) -> None:
        """Logged hours go too, unless ``todo`` says otherwise."""
        assert_done(fresh_redmine.send("alice", "DELETE", f"/issues/12.json?{todo}"))
        entries = fresh_redmine.as_user("alice", "/time_entries.json", **{"from": "2026-01-24"})
        kept = [e["id"] for e in entries.json()["time_entries"] if e["project"]["id"] == 1]

        assert left == kept
