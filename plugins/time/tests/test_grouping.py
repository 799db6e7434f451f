"""list_time_entries with group_by: who worked how much, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redmine_mcp_core.testing.fixtures import SignIn, Target

LIST = "list_time_entries"


@pytest.mark.parametrize(
    ("asked", "rows", "calls"),
    [
        (
            {"group_by": "user", "version": 2},
            ["Bob Builder: 10.25 h (4 entries)", "Alice Ace: 2 h (2 entries)"],
            1,
        ),
        (
            {"group_by": "project"},
            [
                "Alpha: 14.75 h (8 entries)",
                "Gamma (private): 6 h (1 entry)",
                "Beta: 2 h (1 entry)",
            ],
            1,
        ),
        (
            {"group_by": "week"},
            [
                "week of 2026-01-05: 4.75 h (3 entries)",
                "week of 2026-01-19: 10.5 h (5 entries)",
                "week of 2026-01-26: 7.5 h (2 entries)",
            ],
            1,
        ),
        (
            {"group_by": "month, activity", "user": "me"},
            ["2026-01: 5 h (4 entries)", "- Development: 2.75 h", "- Design: 2.25 h"],
            1,
        ),
        (
            {"group_by": "day, issue", "user": "me", "spent_on": "2026-01-22..2026-01-24"},
            [
                "2026-01-22 Thu: 1 h (1 entry)",
                "- #5 Ask security about the login form: 1 h",
                "2026-01-24 Sat: 0.75 h (1 entry)",
                "- #12 The session cookie lives for ever: 0.75 h",
            ],
            2,
        ),
        (
            {"group_by": "version"},
            [
                "1.1: 12.25 h (6 entries)",
                "M1: 6 h (1 entry)",
                "none: 2.5 h (2 entries)",
                "0.1: 2 h (1 entry)",
            ],
            2,
        ),
    ],
)
async def test_hours_by_group(
    redmine: Target, told: Any, asked: dict[str, Any], rows: list[str], calls: int
) -> None:
    """The largest first, days in their order; one call for what an entry shows itself."""
    async with redmine.client() as client:
        said = await told(client, LIST, **asked)

    assert said.splitlines()[:-1] == rows
    assert len(redmine.way.seen) == calls


async def test_a_hidden_issue_tells_nothing(redmine: Target, told: Any) -> None:
    """carol may not see the private issue 5 that alice logged time on: its number is all."""
    async with redmine.client("carol") as client:
        issues = await told(client, LIST, user="5", group_by="issue")
        trackers = await told(client, LIST, user="5", group_by="tracker")

    assert "#5: 1 h (1 entry)" in issues
    assert "of issues that you may not see: 1 h (1 entry)" in trackers


async def test_without_view_issues_numbers_have_to_do(sign_in: SignIn, told: Any) -> None:
    """The hours themselves need no more than view_time_entries."""
    async with sign_in("alice", "view_time_entries") as client:
        said = await told(client, LIST, user="me", group_by="issue")

    assert "#35: 2 h (1 entry)" in said


@pytest.mark.parametrize(
    ("by", "sentence"),
    [
        ("colour", "by user, project, activity, issue, version"),
        ("user, issue, day", "by 2 things at most"),
        (",", "by 2 things at most"),
    ],
)
async def test_what_hours_are_not_grouped_by(
    sign_in: SignIn, told: Any, by: str, sentence: str
) -> None:
    """The answer says by what they are."""
    async with sign_in("alice") as client:
        assert sentence in await told(client, LIST, group_by=by)


async def test_many_groups_end_in_one(
    sign_in: SignIn, many: Callable[[int], None], told: Any
) -> None:
    """Forty are told, and what the others add up to."""
    many(60)
    async with sign_in("alice") as client:
        said = (await told(client, LIST, spent_on="<2026-01-01", group_by="day")).splitlines()

    assert len(said) == 42
    assert said[-2:] == ["20 others: 6.67 h (20 entries)", "20 h in 60 entries by day"]


async def test_many_groups_within_a_group(
    sign_in: SignIn, many: Callable[[int], None], told: Any
) -> None:
    """What is left of each is told as one; a group's own sum is that of all within it."""
    many(60)
    async with sign_in("alice") as client:
        by_user = await told(client, LIST, group_by="user, day")
        by_day = await told(client, LIST, spent_on="<2026-01-01", group_by="day, user")

    rows = by_user.splitlines()
    assert rows[0] == "Alice Ace: 25 h (64 entries)"
    assert rows[1:40] == [row for row in rows if row.startswith("- 20")]
    assert rows[40].startswith("- 25 others: ")
    assert rows[41:] == ["2 others: 17.75 h (6 entries)", "42.75 h in 70 entries by user, day"]
    assert by_day.splitlines()[-2] == "40 others: 13.33 h (40 entries)"


async def test_more_than_can_be_read(
    sign_in: SignIn, many: Callable[[int], None], told: Any
) -> None:
    """The newest are added up by whole days, and the answer says how to get at the others."""
    many(2100)
    asked = {"spent_on": "2019-01-01..2025-12-31", "group_by": "user"}
    async with sign_in("alice") as client:
        said = await told(client, LIST, **asked)
        rest = said.rpartition("spent_on=")[2]
        others = await told(client, LIST, **{**asked, "spent_on": rest})

    assert "in 1999 entries by user, the newest of 2100; the others:" in said
    assert rest.startswith("2019-01-01..20")
    assert "in 101 entries by user" in others
