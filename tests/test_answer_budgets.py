"""What a model reads of an answer, held to its budget on answers recorded from a real Redmine."""

from __future__ import annotations

import json
import re
from importlib.metadata import entry_points
from operator import itemgetter
from typing import Any

import httpx
import pytest

from benchmarks.tokens import (
    RECORDED,
    STRUCTURED_FACTOR,
    TASKS,
    Target,
    Task,
    compact,
    measured,
    size,
)
from redmine_mcp_core.testing import client_for, text_of

BUDGETS = {
    "25 open issues": 1_650,
    "25 issues by priority": 1_650,
    "issue 1 overview": 1_800,
    "search login": 1_800,
    "current user": 120,
}
"""Bytes of text."""

TASK = {task.name: task for task in TASKS}


def test_the_budgets_are_those_that_were_promised() -> None:
    """Neither a task nor a byte more, and structured content of at most three times that."""
    assert {task.name: task.budget for task in TASKS if task.budget} == BUDGETS
    assert STRUCTURED_FACTOR == 3


@pytest.mark.parametrize("name", BUDGETS)
async def test_an_answer_keeps_to_its_budget(name: str) -> None:
    """In its text and in its structured content."""
    found = await measured(TASK[name], Target(recorded=True), budgeted=True)

    print(f"{name}: {found.text} bytes of text, {found.structured} of structured content")
    over = "; ".join(found.exceeded)
    assert not over, over


@pytest.mark.parametrize(
    ("name", "pattern", "times"),
    [
        ("25 open issues", r"^#\d+ ", 25),
        ("25 issues by priority", r"^#\d+ ", 25),
        ("issue 1 overview", r"^#1 |^Subtasks: |^Relations: |^Files: |^Comment \d+ on", 16),
        ("search login", r"^#\d+ ", 25),
        ("current user", '"login":"alice"', 1),
    ],
)
async def test_an_answer_within_its_budget_says_all_it_should(
    name: str, pattern: str, times: int
) -> None:
    """A short answer is no merit where something is missing from it."""
    async with Target(recorded=True).client() as (client, _):
        text, _structured = await TASK[name].answer(client)

    assert len(re.findall(pattern, text, re.MULTILINE)) == times, text


PAGES = ("25 open issues", "25 issues by priority")
ORDERS = (
    "id project tracker status priority subject author assignee category version created updated "
    "closed start due done_ratio estimated_hours spent_hours parent"
).split()


def recorded_issues() -> list[dict[str, Any]]:
    """All that were recorded, each once."""
    pages: list[dict[str, Any]] = []
    for name in PAGES:
        pages += json.loads((RECORDED / f"{name.replace(' ', '_')}.json").read_text()).values()
    return list({issue["id"]: issue for page in pages for issue in page["issues"]}.values())


def in_order(request: httpx.Request) -> httpx.Response:
    """A page of them, sorted as Redmine was asked to; what they have not comes first."""
    column, _, direction = request.url.params["sort"].partition(":")

    def key(issue: dict[str, Any]) -> tuple[bool, Any]:
        value = issue.get(column)
        return value is not None, value["name"] if isinstance(value, dict) else value or 0

    newest = sorted(recorded_issues(), key=itemgetter("id"), reverse=True)
    issues = sorted(newest, key=key, reverse=direction == "desc")[:25]
    return httpx.Response(200, json={"issues": issues, "total_count": 128})


@pytest.mark.parametrize("sort", [f"{sign}{name}" for name in ORDERS for sign in ("", "-")])
async def test_a_list_keeps_to_its_budget_in_any_order(sort: str) -> None:
    """Rows that follow no heading tell all that is their own, and yet are short."""
    plugins = [entry.load() for entry in entry_points(group="redmine_mcp")]
    redmine = httpx.MockTransport(in_order)
    async with client_for(*plugins, redmine=redmine, token="none") as client:
        result = await client.call_tool("list_issues", {"project": "alpha", "sort": sort})

    text = text_of(result)
    rows = [int(number) for number in re.findall(r"^#(\d+)", text, re.MULTILINE)]
    asked = (result.structured_content or {})["issues"]
    assert rows == [issue["id"] for issue in asked], "in the order that was asked for"
    assert len(rows) == 25
    budget = BUDGETS["25 open issues"]
    assert size(text) <= budget, text
    assert size(compact(result.structured_content)) <= budget * STRUCTURED_FACTOR


async def test_a_request_that_was_not_recorded_fails_with_its_url() -> None:
    """So that one sees what to record anew, whatever the tool makes of it."""
    unknown = Task("issue 2", "get_issue_details", {"issue_id": 2})

    found = await measured(unknown, Target(recorded=True), budgeted=True)

    assert "not recorded: GET /issues/2.json?include=" in str(found.error)


@pytest.mark.parametrize("name", BUDGETS)
def test_a_recording_holds_no_key_and_names_no_host_but_loopback(name: str) -> None:
    """It is published with the source."""
    text = (RECORDED / f"{name.replace(' ', '_')}.json").read_text(encoding="utf-8")

    assert "api_key" not in text
    assert set(re.findall(r"https?://([^/:\"]+)", text)) <= {"127.0.0.1"}
