"""get_issue_details: what an answer tells of an issue, side by side, and what it costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import text_of


def assert_lean(text: str, limit: int) -> None:
    size = len(text.encode())
    assert size <= limit, f"a model reads {size} bytes, {limit} are enough:\n{text}"


async def test_an_issue_is_told_as_a_person_would(read_as: Any, read: Any) -> None:
    """The fields that matter, by name, with what is empty left out."""
    async with read_as() as client:
        result = await read(client, 1, journals=1)

    lines = text_of(result).splitlines()
    assert lines[1:12] == [
        "#1 Rework the login page",
        "Feature · In Progress · Urgent · project Alpha",
        "assigned to Alice Ace · by Bob Builder · category UI · version 1.1",
        "starts 2026-01-06 · due 2026-02-10 · 48% done · 1.5 h estimated · 1.75 h spent",
        "created 2026-01-05 09:01 · updated 2026-02-01 13:10",
        "Customer: Acme; Severity: high; Platforms: linux, macos; Effort: 8; Ratio: 0.75; "
        "Deploy date: 2026-06-30; Billable: 1; Reviewer: 6 (Bob Builder)",
        "Release note:",
        "  The login page was reworked.",
        "  It is fast now.",
        "Subtasks: #2 Measure how slow the login page is; #3 New form for the login page; "
        "subtask of a subtask #4 Show why a login failed; #5 Ask security about the login form",
        "Relations: relates #21, #43, #36; blocked by #12",
    ]


async def test_programs_read_the_same_as_data(sign_in: Any, read: Any) -> None:
    """Structured content holds every value once, without nulls."""
    async with sign_in() as client:
        data = (await read(client, 1)).structured_content

    assert data["url"] == "http://redmine.test/issues/1"
    assert data["status"] == "In Progress"
    assert data["custom_fields"]["Platforms"] == "linux, macos"
    assert data["children"][0] == {
        "id": 2,
        "how": "subtask",
        "subject": "Measure how slow the login page is",
    }
    assert {"id": 12, "how": "blocked by"} in data["relations"]
    assert data["attachments"][0]["filename"] == "timings.txt"
    assert "closed_on" not in data
    assert None not in data.values()


@pytest.mark.parametrize(
    ("issue_id", "focus", "limit"),
    [
        (1, "overview", 2900),
        (1, "discussion", 1600),
        (1, "history", 1350),
        (1, "relations", 750),
        (11, "overview", 400),
    ],
)
async def test_the_answer_stays_lean(
    sign_in: Any, read: Any, issue_id: int, focus: str, limit: int
) -> None:
    """What a model reads fits a budget, and programs get three times that at most."""
    async with sign_in() as client:
        result = await read(client, issue_id, focus=focus)

    text = text_of(result)
    assert_lean(text, limit)
    assert_lean(json.dumps(result.structured_content, ensure_ascii=False), 3 * len(text.encode()))


async def test_what_is_empty_takes_no_line(sign_in: Any, read: Any) -> None:
    """An issue without dates, hours and description has no blank lines for them."""
    async with sign_in() as client:
        text = text_of(await read(client, 11))

    assert "\n\n" not in text


PARTS = {
    "fields": "assigned to Alice Ace",
    "children": "Subtasks: #2 Measure how slow",
    "relations": "Relations: relates #21",
    "attachments": "Files: timings.txt (43 B, id 1)",
    "watchers": "Watchers: Alice Ace, Bob Builder, Carol Clark",
    "allowed_statuses": "May become: New, In Progress",
    "description": "The login page is slow",
    "comments": "\nWaiting for #12 now.",
    "changes": "Tracker: Bug → Feature",
}


@pytest.mark.parametrize(
    ("focus", "parts"),
    [
        ("overview", "fields children relations attachments description comments changes"),
        ("discussion", "description comments"),
        ("history", "changes"),
        ("relations", "children relations attachments watchers"),
        ("everything", " ".join(PARTS)),
    ],
)
async def test_a_focus_tells_one_side_of_an_issue(
    read_as: Any, read: Any, focus: str, parts: str
) -> None:
    """And everything tells all sides."""
    async with read_as() as client:
        text = text_of(await read(client, 1, focus=focus))

    assert {name for name, part in PARTS.items() if part in text} == set(parts.split())


async def test_redmine_is_asked_for_what_is_told(sign_in: Any, sandbox: Sandbox, read: Any) -> None:
    """It does not gather what nobody reads."""
    async with sign_in() as client:
        await read(client, 1, focus="discussion")
        await read(client, 11, focus="relations")

    assert [request.query for request in sandbox.requests] == [
        "include=journals",
        "include=attachments%2Cchangesets%2Cchildren%2Crelations%2Cwatchers",
    ]


async def test_reading_on_repeats_nothing(sign_in: Any, read: Any) -> None:
    """Further journals come without the fields and the description that were read already."""
    async with sign_in() as client:
        text = text_of(await read(client, 1, before=28))

    assert "Looks good to me." in text
    assert not [part for name, part in PARTS.items() if name != "changes" and part in text]


@pytest.mark.parametrize(
    ("issue_id", "focus", "asked"),
    [
        (1, "overview", ["/issues/1.json"]),
        (1, "discussion", ["/issues/1.json"]),
        (1, "history", ["/issues/1.json"]),
        (1, "relations", ["/issues/1.json", "/issues.json"]),
        (1, "everything", ["/issues/1.json", "/issues.json"]),
        (6, "everything", ["/issues/6.json"]),
    ],
)
async def test_one_question_once_the_names_are_known(
    sign_in: Any, sandbox: Sandbox, read: Any, issue_id: int, focus: str, asked: list[str]
) -> None:
    """And, where linked issues are what one asks for, one more for what all of them are."""
    async with sign_in() as client:
        await read(client, issue_id, focus=focus)
        sandbox.requests.clear()
        await read(client, issue_id, focus=focus)

    assert [request.path for request in sandbox.requests] == asked


async def test_an_issue_without_changes_asks_for_no_names(
    sign_in: Any, sandbox: Sandbox, read: Any
) -> None:
    """What is not needed is not read."""
    async with sign_in() as client:
        await read(client, 11)
        sandbox.requests.clear()
        await read(client, 11)

    assert [request.path for request in sandbox.requests] == ["/issues/11.json"]


async def test_a_number_is_no_person(read_as: Any, read: Any) -> None:
    """A field is one of people only where every value in it is a member's id."""
    async with read_as() as client:
        text = text_of(await read(client, 1))
        hidden = text_of(await read(client, 35))

    assert "Effort: 8;" in text
    assert "Reviewer: 6 (Bob Builder)" in hidden


async def test_related_issues_are_told_with_subject_and_status_on_request(
    read_as: Any, read: Any
) -> None:
    """An overview says how; what it leaves out, it names the call for."""
    async with read_as() as client:
        overview = text_of(await read(client, 1))
        result = await read(client, 1, focus="relations")

    assert 'get_issue_details(issue_id=1, focus="relations")' in overview
    assert "blocked by #12 The session cookie lives for ever (New)" in text_of(result)
    assert "#2 Measure how slow the login page is (Resolved)" in text_of(result)
    assert {
        "id": 12,
        "how": "blocked by",
        "subject": "The session cookie lives for ever",
        "status": "New",
    } in result.structured_content["relations"]
