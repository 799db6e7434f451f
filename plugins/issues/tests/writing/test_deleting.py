"""delete_issue: what goes with an issue is said before, and what is gone after."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.testing import text_of

DELETE = "delete_issue"
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def is_there(redmine: Any, issue_id: int) -> bool:
    answer = await redmine.ask("alice", "GET", f"/issues.json?issue_id={issue_id}&status_id=*")
    return bool(answer["total_count"])


@MODES
async def test_the_person_reads_what_goes_with_it(redmine: Any, agreeing: Any, mode: Any) -> None:
    """Subtasks to the last, and what becomes of the hours; a yes deletes all of it, once."""
    async with redmine.before(agreeing, mode) as client:
        result = await client.call_tool(DELETE, {"issue_id": 1, "hours": "destroy"})

    (question,) = agreeing.asked
    assert question.startswith("Delete issue #1 for good?\n«")
    assert "Rework the login page" in question
    assert "Its subtasks go too: #2, #3, #4, #5." in question
    assert "8 h logged: deleted too." in question
    assert text_of(result) == (
        "#1 is deleted, and its subtasks #2, #3, #4, #5. 8 h logged: deleted."
    )
    assert redmine.writes == ["DELETE /issues/1.json"]
    assert not await is_there(redmine, 4)


@MODES
async def test_a_no_deletes_nothing(redmine: Any, declining: Any, mode: Any) -> None:
    """Nor does the argument, where the person can be asked."""
    async with redmine.before(declining, mode) as client:
        result = await client.call_tool(
            DELETE, {"issue_id": 11, "confirm": True, "hours": "destroy"}, raise_on_error=False
        )

    assert "[not_confirmed]" in text_of(result)
    assert redmine.writes == []


@MODES
async def test_what_changed_since_the_question_is_not_deleted(
    redmine: Any, agreeing: Any, mode: Any
) -> None:
    """A subtask that came while the person thought was not part of what they agreed to. Where the
    client calls again it is asked again."""
    body = {"issue": {"project_id": 1, "subject": "late", "parent_issue_id": 6}}

    async def adds_a_subtask() -> None:
        agreeing.meanwhile = None
        await redmine.ask("alice", "POST", "/issues.json", json=body)

    agreeing.meanwhile = adds_a_subtask
    async with redmine.before(agreeing, mode) as client:
        result = await client.call_tool(
            DELETE, {"issue_id": 6, "hours": "destroy"}, raise_on_error=False
        )

    if mode == "legacy":
        assert "This has changed since the question was asked" in text_of(result)
        assert await is_there(redmine, 6)
    else:
        assert len(agreeing.asked) == 2
        assert "Its subtasks go too" in agreeing.asked[1]


async def test_hours_are_decided_upon(redmine: Any) -> None:
    """Redmine would delete them without a word; so it is said what becomes of them, or nothing
    happens and nobody is asked."""
    async with redmine.as_() as call:
        answers = [
            text_of(await call(DELETE, issue_id=1, hours=hours, confirm=True))
            for hours in ("", "whatever", "move_to:4", "move_to:40", "move_to:999")
        ]

    assert answers[0] == (
        "8 h logged. Say in hours what becomes of it: destroy, keep_on_project or move_to:12 "
        "(an issue of the same project). [bad_argument]"
    )
    assert answers[1] == answers[0]
    assert answers[2].startswith("#4 is to be deleted itself")
    assert answers[3].startswith("#40 is in another project")
    assert answers[4].startswith("Issue #999 does not exist")
    assert redmine.writes == []


@pytest.mark.parametrize(
    ("hours", "told", "heir"),
    [
        ("keep_on_project", "8 h logged: kept on the project.", None),
        ("move_to:#11", "8 h logged: moved to #11.", {"id": 11}),
    ],
)
async def test_hours_outlive_the_issue(redmine: Any, hours: str, told: str, heir: Any) -> None:
    """On the project, or on another issue of it."""
    kept = await redmine.ask("alice", "GET", "/issues/11.json")
    async with redmine.as_() as call:
        result = await call(DELETE, issue_id=1, hours=hours, confirm=True)

    assert told in text_of(result)
    after = await redmine.ask("alice", "GET", "/issues/11.json")
    more = after["issue"]["spent_hours"] - kept["issue"]["spent_hours"]
    assert more == (8.0 if heir else 0.0)


async def test_hidden_hours_are_decided_upon_as_well(redmine: Any) -> None:
    """A sign-in that may not see them cannot know that there are none."""
    if redmine.sandbox is None:
        pytest.skip("an API key has every scope")
    scopes = ["view_issues", "delete_issues"]
    async with redmine.as_(scopes=scopes) as call:
        refused = await call(DELETE, issue_id=18, confirm=True)
        done = await call(DELETE, issue_id=18, hours="destroy", confirm=True)

    assert text_of(refused).startswith("Time that is logged on it, or may be: it is hidden")
    assert "#18 is deleted" in text_of(done)


async def test_who_may_not_delete_is_told(redmine: Any) -> None:
    """And the issue stays."""
    async with redmine.as_("carol") as call:
        result = await call(DELETE, issue_id=11, hours="destroy", confirm=True)

    assert result.is_error
    assert await is_there(redmine, 11)
