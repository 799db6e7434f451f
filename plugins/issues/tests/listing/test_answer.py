"""list_issues: what an answer says of the issues that were found or not, and what it costs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import text_of


async def test_a_page_reads_like_a_list(read_as: Any, listed: Any) -> None:
    """Under headings that say what issues share; what all share is said first."""
    async with read_as() as client:
        result = await listed(client, project="alpha", subprojects=False, fields={"id": "1,2,3,9"})

    assert text_of(result).splitlines()[1:-2] == [
        "All: Alpha. Dates: 2026, updated unless due.",
        "In Progress, Feature, Urgent:",
        "#1 Alice Ace, due 02-10: Rework the login page",
        "#3 Bob Builder, due 02-10: New form for the login page",
        "New:",
        "#9 Feature, Low, nobody, 01-13: Dark theme",
        "Resolved:",
        "#2 Support, Normal, Bob Builder, due 01-11: Measure how slow the login page is",
    ]
    assert text_of(result).splitlines()[-1] == "1-4 of 4"


async def test_programs_read_the_same_as_data(sign_in: Any, listed: Any) -> None:
    """Each issue's values stand apart, without nulls."""
    async with sign_in() as client:
        data = (await listed(client, fields={"id": "9"})).structured_content

    assert data == {
        "total": 1,
        "issues": [
            {
                "id": 9,
                "subject": "Dark theme",
                "project": "Alpha",
                "tracker": "Feature",
                "status": "New",
                "priority": "Low",
                "updated_on": "2026-01-13",
            }
        ],
    }


async def test_the_answer_stays_lean(sign_in: Any, listed: Any, ids: Any) -> None:
    """25 open issues fit a budget, and programs get three times that at most."""
    async with sign_in() as client:
        result = await listed(client, project="alpha")

    text, data = text_of(result), json.dumps(result.structured_content, ensure_ascii=False)
    size, size_of_data = len(text.encode()), len(data.encode())
    assert len(ids(result)) == 25
    assert size <= 2100, f"a model reads {size} bytes:\n{text}"
    assert size_of_data <= 3 * size, f"programs read {size_of_data} bytes for {size}"


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({}, "/issues.json"),
        (
            {"project": "alpha", "status": "New", "tracker": "Bug", "priority": "High, Urgent"},
            "/projects/alpha/issues.json",
        ),
        (
            {"project": "Alpha", "fields": {"Severity": "high"}, "sort": "-priority,Effort"},
            "/projects/1/issues.json",
        ),
        ({"project": "alpha", "group_by": "status"}, "/projects/alpha/issues.json"),
        ({"project": "alpha", "group_by": "Severity"}, "/projects/alpha/issues.json"),
    ],
    ids=str,
)
async def test_one_question_once_the_names_are_known(
    sign_in: Any, sandbox: Sandbox, listed: Any, arguments: dict[str, Any], asked: str
) -> None:
    """Names are read once, and then each call is one request."""
    async with sign_in() as client:
        await listed(client, **arguments)
        sandbox.requests.clear()
        await listed(client, **arguments)

    assert [request.path for request in sandbox.requests if "member" not in request.path] == [asked]


async def test_nothing_fits(sign_in: Any, listed: Any) -> None:
    """It is an answer and not an error."""
    async with sign_in() as client:
        result = await listed(client, subject="xyzzy", status="any")
        beyond = await listed(client, page=9)

    assert text_of(result) == "No issue fits."
    assert result.structured_content == {"total": 0}
    assert re.fullmatch(r"\d+ in all, but page 9 is past the last\.", text_of(beyond))


async def test_what_else_to_try_is_said(read_as: Any, listed: Any) -> None:
    """Where nothing fits for a reason that a model may not think of."""
    async with read_as() as client:
        closed = await listed(client, fields={"id": "20"})
        part = await listed(client, project="alpha", fields={"Release note": "The login page"})

    assert text_of(closed) == "No issue fits. Closed ones were left out: status=any takes all."
    assert text_of(part).endswith(
        "Release note was compared as a whole: ~The login page finds a part of it."
    )


async def test_what_strangers_wrote_is_quoted(sign_in: Any, listed: Any) -> None:
    """Subjects stand between marks; the count does not."""
    async with sign_in() as client:
        text = text_of(await listed(client, fields={"id": "18"}))

    mark = text[1:].split()[0]
    assert text.startswith(f"«{mark} data from Redmine")
    assert text.endswith(f"\n{mark}»\n1-1 of 1")
