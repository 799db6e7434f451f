"""get_issue_details: comments and changes, the newest first and the others a call away."""

from __future__ import annotations

import re
from typing import Any

import pytest

from redmine_mcp_core.testing import text_of


async def test_the_newest_comments_come_first(read_as: Any, read: Any) -> None:
    """Twenty-five of them, and what was left out is said with the call that fetches it."""
    async with read_as() as client:
        result = await read(client, 1, focus="everything")

    data = result.structured_content
    assert [journal["id"] for journal in data["journals"]] == list(range(32, 7, -1))
    assert data["journals_total"] == 32
    assert text_of(result).splitlines()[-1] == (
        '7 older of 32 journals: get_issue_details(issue_id=1, focus="everything", before=8)'
    )


async def test_an_overview_tells_what_its_lists_do_not(read_as: Any, read: Any) -> None:
    """Comments and changed fields; what was only added to a list stands in that list."""
    async with read_as() as client:
        result = await read(client, 1)

    told = " ".join(
        change
        for journal in result.structured_content["journals"]
        for change in journal.get("changes", ())
    )
    assert "Status: New → In Progress" in told
    assert "Subtask" not in told
    assert "relates" not in told
    assert "attached" not in told


@pytest.mark.parametrize("focus", ["overview", "discussion", "history", "everything"])
async def test_the_calls_that_fetch_the_rest_do(read_as: Any, read: Any, focus: str) -> None:
    """Following what each answer says to call next gives every journal once."""
    arguments: dict[str, Any] = {"focus": focus, "journals": 7}
    seen: list[int] = []
    async with read_as() as client:
        while True:
            result = await read(client, 1, **arguments)
            journals = result.structured_content["journals"]
            seen += [journal["id"] for journal in journals]
            hint = text_of(result).splitlines()[-1]
            found = re.search(r"get_issue_details\(issue_id=1,.* before=(\d+)\)", hint)
            if not found:
                break
            assert (f'focus="{focus}"' in hint) == (focus != "overview")
            arguments["before"] = int(found[1])

    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == result.structured_content["journals_total"]


async def test_comments_are_numbered_where_they_are_the_matter(sign_in: Any, read: Any) -> None:
    """By the id with which they are edited, and an overview does without."""
    async with sign_in() as client:
        overview = text_of(await read(client, 1))
        discussion = text_of(await read(client, 1, focus="discussion"))

    assert "2026-02-01 13:10 Alice Ace\nWaiting" in overview
    assert "2026-02-01 13:10 Alice Ace, comment 32\nWaiting" in discussion


async def test_no_comments_at_all(sign_in: Any, read: Any) -> None:
    """``journals=0`` reads the fields alone, and says how many comments there are."""
    async with sign_in() as client:
        result = await read(client, 1, journals=0)

    assert "journals" not in result.structured_content
    assert text_of(result).splitlines()[-1] == (
        "24 older of 24 journals: get_issue_details(issue_id=1, journals=25)"
    )


@pytest.mark.parametrize(
    "change",
    [
        "Status: New → In Progress; Assignee: none → Alice Ace",
        "Priority: Normal → Urgent",
        "Tracker: Bug → Feature",
        "Severity: low → high; Effort: 5 → 8",
        "Version: 1.0 → 1.1; Due date: none → 2026-02-10",
        "Description changed",
        "Subject: Login page → Rework the login page",
        "Category: none → UI; Estimated hours: 1.0 → 1.5",
        "attached timings.txt",
        "relates #21",
        "blocked by #12",
        "Subtask: none → #2",
    ],
)
async def test_changes_are_told_by_name(read_as: Any, read: Any, change: str) -> None:
    """People, versions and issues as well, also those that the issue no longer has."""
    async with read_as() as client:
        text = text_of(await read(client, 1, focus="history"))

    assert change in text
