"""edit_comment and delete_comment."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.testing import text_of


async def notes_of(redmine: Any, comment_id: int) -> str | None:
    """The text of a comment of issue 1; None if it is not there."""
    journals = (await redmine.issue(1))["journals"]
    return next((one["notes"] for one in journals if one["id"] == comment_id), None)


async def test_a_passage_is_replaced(redmine: Any) -> None:
    """Without sending the whole text again: read, written, looked at."""
    before = await notes_of(redmine, 32)
    async with redmine.as_() as call:
        result = await call(
            "edit_comment",
            issue_id=1,
            comment_id=32,
            replace=[{"find": "Waiting", "with": "No longer waiting"}],
        )

    assert text_of(result) == "Comment 32 of #1: changed."
    assert before is not None
    assert await notes_of(redmine, 32) == before.replace("Waiting", "No longer waiting")
    assert len(redmine.way.seen) == 3


async def test_a_comment_becomes_private(redmine: Any) -> None:
    """Its text stays."""
    before = await notes_of(redmine, 31)
    async with redmine.as_() as call:
        await call("edit_comment", issue_id=1, comment_id=31, private=True)

    journals = (await redmine.issue(1))["journals"]
    (comment,) = [one for one in journals if one["id"] == 31]
    assert comment["private_notes"] is True
    assert comment["notes"] == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "Nothing was asked"),
        ({"text": " "}, "use delete_comment"),
        ({"text": "a", "replace": [{"find": "a", "with": "b"}]}, "Give either text or replace"),
        ({"replace": [{"find": "nowhere", "with": "b"}]}, "0 times"),
        ({"comment_id": 1, "text": "a"}, "Comment 1 of #1 does not exist"),
        ({"issue_id": 2, "text": "a"}, "Comment 32 of #2 does not exist"),
    ],
    ids=str,
)
async def test_what_makes_no_sense_writes_nothing(
    redmine: Any, arguments: dict[str, Any], problem: str
) -> None:
    """An empty text would delete the comment; a change of attributes alone is no comment."""
    async with redmine.as_() as call:
        result = await call("edit_comment", **{"issue_id": 1, "comment_id": 32, **arguments})

    assert problem in text_of(result)
    assert redmine.writes == []


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_comment_is_deleted_after_a_yes(redmine: Any, agreeing: Any, mode: Any) -> None:
    """The person reads whose it is and what it says."""
    async with redmine.before(agreeing, mode) as client:
        result = await client.call_tool("delete_comment", {"issue_id": 1, "comment_id": 31})

    (question,) = agreeing.asked
    assert question.startswith("Delete comment 31 of #1 for good?\n«")
    assert "Bob Builder: " in question
    assert text_of(result) == "Comment 31 of #1: deleted."
    assert await notes_of(redmine, 31) is None


async def test_changes_made_with_a_comment_stay(redmine: Any) -> None:
    """Only the text goes where the journal tells of changes as well."""
    async with redmine.as_() as call:
        await call("delete_comment", issue_id=1, comment_id=16, confirm=True)

    assert not await notes_of(redmine, 16)
    assert 16 in [one["id"] for one in (await redmine.issue(1))["journals"]]


async def test_nobody_is_asked_in_vain(redmine: Any, declining: Any) -> None:
    """A no, and a client that cannot ask, leave the comment as it is."""
    async with redmine.before(declining) as client:
        refused = await client.call_tool(
            "delete_comment", {"issue_id": 1, "comment_id": 31}, raise_on_error=False
        )
    async with redmine.as_() as call:
        unasked = await call("delete_comment", issue_id=1, comment_id=31)

    assert "[not_confirmed]" in text_of(refused)
    assert "[not_confirmed]" in text_of(unasked)
    assert await notes_of(redmine, 31)


async def test_others_comments_are_theirs(redmine: Any) -> None:
    """Without the permission Redmine says no, and it is passed on."""
    async with redmine.as_("carol") as call:
        result = await call("edit_comment", issue_id=1, comment_id=31, text="mine")

    assert "[forbidden]" in text_of(result)
