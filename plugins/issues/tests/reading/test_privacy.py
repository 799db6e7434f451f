"""get_issue_details: what somebody reads who may not see everything."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.testing import text_of


@pytest.mark.parametrize(
    ("login", "scopes", "seen"),
    [
        ("alice", ["view_issues", "view_private_notes"], {9, 10, 11}),
        ("alice", ["view_issues"], {10}),
        ("carol", ["view_issues", "view_private_notes"], {11}),
    ],
    ids=["role and scope", "role without scope", "scope without role"],
)
async def test_private_notes_need_role_and_scope(
    sign_in: Any, read: Any, login: str, scopes: list[str], seen: set[int]
) -> None:
    """Besides one's own; and the ones that are shown are marked."""
    async with sign_in(login, *scopes) as client:
        result = await read(client, 1, focus="discussion")

    private = {
        journal["id"] for journal in result.structured_content["journals"] if journal.get("private")
    }
    assert private == seen
    assert text_of(result).count("[private]") == len(seen)


async def test_a_private_issue_is_marked(sign_in: Any, read: Any) -> None:
    """A model should know what it must not repeat elsewhere."""
    async with sign_in() as client:
        assert "#5 Ask security about the login form [private]" in text_of(await read(client, 5))


async def test_who_may_not_see_members_reads_the_id(sign_in: Any, read: Any) -> None:
    """As Redmine shows it."""
    async with sign_in("alice", "view_issues") as client:
        assert "Reviewer: 6\n" in text_of(await read(client, 1))


@pytest.mark.parametrize("login", ["bob", "carol"])
async def test_linked_issues_are_told_to_those_who_may_see_them(
    read_as: Any, read: Any, login: str
) -> None:
    """A relation to a private project's issue is nobody else's business."""
    async with read_as(login) as client:
        text = text_of(await read(client, 1, focus="relations"))
        history = text_of(await read(client, 1, focus="history"))

    assert ("#43 Prototype of the new login" in text) == (login == "bob")
    assert ("#43" in history) == (login == "bob")
