"""What a model reads of an answer, held to its budget on answers recorded from a real Redmine."""

from __future__ import annotations

import re

import pytest

from benchmarks.tokens import RECORDED, STRUCTURED_FACTOR, TASKS, Target, Task, measured

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
