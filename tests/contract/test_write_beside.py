"""Writing what hangs on issues: relations, watchers, files, notes; and what scopes leave of it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .answers import BASIC, assert_empty, ids
from .target import Target
from .writes import assert_done, assert_invalid, change, details, issue, last_journal


class TestBeside:
    """Relations, watchers, files and notes."""

    def test_relation_is_stored_one_way(self, fresh_redmine: Target) -> None:
        """``blocked`` becomes ``blocks`` the other way round; both ends note it."""
        path, body = "/issues/9/relations.json", {"issue_to_id": 10, "relation_type": "blocked"}
        reply = fresh_redmine.send("alice", "POST", path, {"relation": body})
        relation = reply.json()["relation"]

        assert reply.status_code == 201
        assert reply.headers["Location"] == f"{fresh_redmine.base_url}/relations/{relation['id']}"
        assert (relation["issue_id"], relation["issue_to_id"]) == (10, 9)
        assert relation["relation_type"] == "blocks"
        assert details(last_journal(fresh_redmine, 9)) == [("relation", "blocked", None, "10")]
        assert details(last_journal(fresh_redmine, 10)) == [("relation", "blocks", None, "9")]

    def test_relation_moves_what_follows(self, fresh_redmine: Target) -> None:
        """``precedes`` moves the other issue to the first working day after, keeping its length."""
        body = {"relation": {"issue_to_id": 14, "relation_type": "precedes", "delay": 1}}
        fresh_redmine.send("alice", "POST", "/issues/9/relations.json", body)
        assert_done(change(fresh_redmine, 9, due_date="2026-06-05"))
        moved = issue(fresh_redmine, 14)

        assert (moved["start_date"], moved["due_date"]) == ("2026-06-09", "2026-06-16")
        assert_invalid(
            change(fresh_redmine, 14, start_date="2026-06-08"),
            "Start date cannot be earlier than 06/09/2026 because of preceding issues",
        )

    @pytest.mark.parametrize(
        ("number", "wish", "error"),
        [
            (9, {"issue_to_id": 9}, "Related issue is invalid"),
            (9, {"issue_to_id": 999}, "Related issue cannot be blank"),
            (1, {"issue_to_id": 4}, "An issue cannot be linked to one of its subtasks"),
            (
                1,
                {"issue_to_id": 12, "relation_type": "blocks"},
                "This relation would create a circular dependency",
            ),
        ],
    )
    def test_relation_refused(
        self, fresh_redmine: Target, number: int, wish: dict[str, Any], error: str
    ) -> None:
        """A relation that makes no sense is refused with a reason."""
        path = f"/issues/{number}/relations.json"

        assert_invalid(fresh_redmine.send("alice", "POST", path, {"relation": wish}), error)

    def test_watchers(self, fresh_redmine: Target) -> None:
        """Watchers come and go; who does not exist is left out without a word."""
        path = "/issues/9/watchers.json"
        for user_id in (6, 999):
            assert_done(fresh_redmine.send("alice", "POST", path, {"user_id": user_id}))
        watchers = ids(issue(fresh_redmine, 9)["watchers"])
        assert_done(fresh_redmine.send("alice", "DELETE", "/issues/9/watchers/7.json"))

        assert watchers == [7, 6]
        assert ids(issue(fresh_redmine, 9)["watchers"]) == [6]
        assert_empty(fresh_redmine.send("bob", "POST", path, {"user_id": 5}), 403)

    def test_upload_and_attach(self, fresh_redmine: Target) -> None:
        """A file is uploaded, attached by its token once, and read again."""
        upload = fresh_redmine.send("bob", "POST", "/uploads.json?filename=a.txt", b"hello")
        wish = [{"token": upload.json()["upload"]["token"], "description": "greeting"}]
        assert_done(change(fresh_redmine, 9, "bob", uploads=wish))
        attached = issue(fresh_redmine, 9)["attachments"][0]
        path = attached["content_url"].removeprefix(fresh_redmine.base_url)

        assert (attached["filename"], attached["filesize"]) == ("a.txt", 5)
        assert details(last_journal(fresh_redmine, 9)) == [
            ("attachment", str(attached["id"]), None, "a.txt")
        ]
        assert fresh_redmine.as_user("carol", path).content == b"hello"
        again = change(fresh_redmine, 9, "bob", uploads=wish)
        assert_invalid(again, "1 file(s) could not be saved.")

    def test_upload_refusals(self, fresh_redmine: Target) -> None:
        """Only octet streams, of at most 5 MiB."""
        too_large = bytes(5 * 1024 * 1024 + 1)
        path = "/uploads.json?filename=a.bin"

        assert_empty(fresh_redmine.send("bob", "POST", path, {"not": "a file"}), 406)
        assert_invalid(
            fresh_redmine.send("bob", "POST", path, too_large),
            "This file cannot be uploaded because it exceeds the maximum allowed file size"
            " (5242880)",
        )
        assert_empty(fresh_redmine.send(None, "POST", path, b"x"), 401, BASIC)

    def test_attachment_changed_and_deleted(self, fresh_redmine: Target) -> None:
        """Whoever may edit the issue may describe and delete its files."""
        path, body = "/attachments/1.json", {"attachment": {"description": "old"}}
        assert_empty(fresh_redmine.send("carol", "PATCH", path, body), 403)
        assert_done(fresh_redmine.send("bob", "PATCH", path, body))
        described = fresh_redmine.as_user("carol", path).json()["attachment"]
        assert_done(fresh_redmine.send("bob", "DELETE", path))

        assert described["description"] == "old"
        assert_empty(fresh_redmine.as_user("carol", path), 404)
        assert details(last_journal(fresh_redmine, 1)) == [("attachment", "1", "timings.txt", None)]

    def test_note_edited(self, fresh_redmine: Target) -> None:
        """A manager edits notes; an empty one is deleted, if nothing else is in the journal."""
        edited = {"journal": {"notes": "Edited."}}
        assert_empty(fresh_redmine.send("bob", "PUT", "/journals/5.json", edited), 403)
        assert_done(fresh_redmine.send("alice", "PUT", "/journals/5.json", edited))
        empty = {"journal": {"notes": ""}}
        for number in (6, 7):
            assert_done(fresh_redmine.send("alice", "PUT", f"/journals/{number}.json", empty))
        journals = {one["id"]: one for one in issue(fresh_redmine, 1)["journals"]}

        assert journals[5]["notes"] == "Edited."
        assert journals[5]["updated_by"] == {"id": 5, "name": "Alice Ace"}
        assert journals[6]["notes"] == ""
        assert 7 not in journals


class TestScopes:
    """What an OAuth token's scopes leave of all this."""

    def send(
        self, redmine: Target, scope: str, method: str, path: str, body: Any = None
    ) -> httpx.Response:
        return redmine.send_with_scopes("alice", f"view_project {scope}", method, path, body)

    def test_no_scope_no_write(self, fresh_redmine: Target) -> None:
        """A token that may only look changes nothing."""
        calls = [
            ("POST", "/issues.json", {"issue": {"project_id": 1, "subject": "x"}}),
            ("PUT", "/issues/9.json", {"issue": {"subject": "x"}}),
            ("DELETE", "/issues/9.json", None),
            ("POST", "/issues/9/relations.json", {"relation": {"issue_to_id": 8}}),
            ("POST", "/issues/9/watchers.json", {"user_id": 6}),
            ("PUT", "/journals/5.json", {"journal": {"notes": "x"}}),
        ]
        for method, path, body in calls:
            assert_empty(self.send(fresh_redmine, "view_issues", method, path, body), 403)

    def test_scope_for_notes_lets_attributes_change(self, fresh_redmine: Target) -> None:
        """Scopes are no fence: the attributes go by the role alone."""
        scope, body = "view_issues add_issue_notes", {"issue": {"subject": "Changed"}}
        assert_done(self.send(fresh_redmine, scope, "PUT", "/issues/9.json", body))

        assert issue(fresh_redmine, 9)["subject"] == "Changed"

    def test_scopes_that_are_asked(self, fresh_redmine: Target) -> None:
        """Privacy, watchers and parents do need their scope."""
        wish = {"is_private": True, "watcher_user_ids": [6], "parent_issue_id": 6}
        body = {"issue": {"project_id": 1, "subject": "x", **wish}}
        reply = self.send(fresh_redmine, "view_issues add_issues", "POST", "/issues.json", body)
        made = issue(fresh_redmine, reply.json()["issue"]["id"])

        assert made["is_private"] is False
        assert made["watchers"] == []
        assert "parent" not in made
