"""dry_run: what would change and why it would fail, with nothing written."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.testing import text_of


async def everything(redmine: Any) -> tuple[Any, Any]:
    """What a write would leave traces in."""
    answer = await redmine.ask("alice", "GET", "/issues.json?status_id=*&limit=100")
    newest = {issue["id"]: issue["updated_on"] for issue in answer["issues"]}
    return newest, await redmine.issue(11, "journals,watchers,relations")


async def test_an_update_is_tried_without_a_trace(redmine: Any) -> None:
    """Every reason at once: the workflow's, the role's and those of Redmine's own validation."""
    before = await everything(redmine)
    async with redmine.as_("bob") as call:
        result = await call(
            "update_issue",
            issue_id=11,
            status="Rejected",
            start_date="2026-03-02",
            due_date="2026-03-01",
            version="1.0",
            private=True,
            fields={"Severity": "awful"},
            notes="A note",
            watchers=["me"],
            log_hours=1,
            activity="Design",
            dry_run=True,
        )

    assert not result.is_error
    found = result.structured_content
    assert found["outcome"] == "dry_run"
    assert {"field": "Status", "before": "Feedback", "after": "Rejected"} in found["changes"]
    assert {"field": "Severity", "before": "critical", "after": "awful"} in found["changes"]
    text = " ".join(found["problems"])
    assert "Status Feedback may not become Rejected here: only In Progress, Resolved" in text
    assert "Severity is not included in the list (other issues have: critical, high" in text
    assert "Due date must be greater than start date." in text
    assert "Target version is not included in the list." in text
    assert "lacks set_issues_private or set_own_issues_private, which private needs." in text
    assert "Your role in Alpha lacks add_issue_watchers, which watchers needs." in text
    assert "log_hours" not in text
    assert await everything(redmine) == before


async def test_an_update_that_would_work_leaves_no_trace_either(redmine: Any) -> None:
    """What would change is told, and that nothing was."""
    before = await everything(redmine)
    async with redmine.as_() as call:
        result = await call(
            "update_issue",
            issue_id=11,
            status="Resolved",
            subject="New",
            private=True,
            notes="Hi",
            log_hours=1,
            activity="Design",
            dry_run=True,
        )
        text = text_of(result)

    assert text.startswith("Dry run: nothing was written.")
    assert "Status: Feedback → Resolved" in text
    assert "Nothing speaks against it." in text
    assert "Not known: whether the workflow makes Private read-only for you" in text
    assert await everything(redmine) == before


async def test_who_may_only_comment_leaves_no_trace(redmine: Any) -> None:
    """Redmine drops the stale lock_version of a Reporter together with all the rest."""
    before = await everything(redmine)
    async with redmine.as_("carol") as call:
        result = await call(
            "update_issue", issue_id=11, subject="Mine", private=True, notes="x", dry_run=True
        )

    text = " ".join(result.structured_content["problems"])
    assert "Your role in Alpha lacks edit_issues or edit_own_issues, which subject needs." in text
    assert await everything(redmine) == before


async def test_a_new_issue_is_tried_without_being_made(redmine: Any) -> None:
    """Redmine's sentences without the one that was provoked; and nothing is made."""
    before = await everything(redmine)
    async with redmine.as_() as call:
        wrong = await call(
            "create_issue",
            project="alpha",
            subject="x",
            start_date="2026-02-02",
            due_date="2026-02-01",
            fields={"Severity": "awful"},
            dry_run=True,
        )
        fine = await call(
            "create_issue", project="alpha", subject="x", idempotency_key="k", dry_run=True
        )

    assert list(wrong.structured_content["problems"]) == [
        "Severity is not included in the list (other issues have: critical, high, low, medium).",
        "Due date must be greater than start date.",
    ]
    assert "problems" not in fine.structured_content
    assert await everything(redmine) == before


async def test_what_a_role_may_not_is_found(redmine: Any) -> None:
    """A Reporter learns before that the parent and the watchers would be dropped."""
    async with redmine.as_("carol") as call:
        result = await call(
            "create_issue",
            project="alpha",
            subject="x",
            parent=1,
            watchers=["Bob Builder"],
            status="Closed",
            dry_run=True,
        )

    found = result.structured_content
    assert list(found["problems"]) == [
        "Your role in Alpha lacks manage_subtasks, which parent needs.",
        "Your role in Alpha lacks add_issue_watchers, which watchers needs.",
    ]
    assert "which status a new issue may have here" in found["unknown"]


async def test_what_was_never_granted_is_found(redmine: Any) -> None:
    """A scope that the sign-in lacks is told apart from a permission that the role lacks."""
    scopes = ["add_issue_notes", "view_issues", "view_members", "view_project"]
    async with redmine.as_(scopes=scopes) as call:
        result = await call("update_issue", issue_id=11, status="Resolved", dry_run=True)

    assert result.structured_content["problems"][0] == (
        "This sign-in was not granted edit_issues or edit_own_issues, which status needs."
    )


async def test_what_the_workflow_requires_is_found(redmine: Any) -> None:
    """A Developer's Support issue needs a due date and a severity to be resolved."""
    before = await everything(redmine)
    asked = {"issue_id": 5, "status": "Resolved", "fields": {"Severity": ""}, "due_date": ""}
    async with redmine.as_("bob") as call:
        result = await call("update_issue", **asked, dry_run=True)
        refused = await call("update_issue", **asked)

    problems = result.structured_content["problems"]
    assert problems[0] == "Due date cannot be blank."
    assert problems[1].startswith("Severity cannot be blank (other issues have: critical, high")
    assert "Due date cannot be blank" in text_of(refused)
    assert await everything(redmine) == before


async def test_what_the_workflow_makes_read_only_is_found(redmine: Any) -> None:
    """Redmine would drop it with a 204: by a dry run one learns it before, without a trace."""
    before = await everything(redmine)
    asked = {"issue_id": 5, "priority": "Low", "due_date": "2026-03-01", "assignee": "me"}
    async with redmine.as_("bob") as call:
        result = await call("update_issue", **asked, dry_run=True)
        fields = await call("update_issue", issue_id=5, fields={"Effort": 3}, dry_run=True)
    assert await everything(redmine) == before
    async with redmine.as_("bob") as call:
        written = await call("update_issue", **asked, fields={"Effort": 3})

    assert result.structured_content["problems"] == [
        "Priority is read-only here, by workflow or subtasks."
    ]
    assert "whether the workflow makes Effort read-only" in text_of(fields)
    assert written.structured_content["dropped"] == ["Priority → Low", "Effort → 3"]


async def test_what_subtasks_decide_is_found(redmine: Any) -> None:
    """The dates and the progress of a parent are theirs."""
    async with redmine.as_() as call:
        result = await call(
            "update_issue", issue_id=1, due_date="2027-01-01", estimated_hours=3, dry_run=True
        )

    assert result.structured_content["problems"] == [
        "Due date is read-only here, by workflow or subtasks."
    ]


@pytest.mark.parametrize("login", ["alice", "bob"])
async def test_wrong_values_are_noticed_one_by_one(redmine: Any, login: str) -> None:
    """Redmine complains of each value that a dry run tries, and keeps none of them."""
    before = await everything(redmine)
    asked = {
        "subject": "x",
        "priority": "High",
        "assignee": "me",
        "category": "UI",
        "version": "2.0",
        "parent": 21,
        "start_date": "2026-02-01",
        "due_date": "2026-03-01",
        "done_ratio": 10,
        "estimated_hours": 2,
    }
    async with redmine.as_(login) as call:
        update = await call("update_issue", issue_id=11, **asked, dry_run=True)
        create = await call("create_issue", project="alpha", **asked, dry_run=True)

    assert "problems" not in update.structured_content
    assert "problems" not in create.structured_content
    assert await everything(redmine) == before
