"""get_issue_details: what cannot be read, said in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import text_of

READ = "get_issue_details"


async def refusal(client: Any, issue_id: int, **arguments: Any) -> str:
    result = await client.call_tool(READ, {"issue_id": issue_id, **arguments}, raise_on_error=False)
    assert result.is_error
    return text_of(result)


async def test_a_journal_that_is_not_there(sign_in: Any) -> None:
    """There is nothing before what does not exist."""
    async with sign_in() as client:
        answer = await refusal(client, 1, before=999)

    assert answer == "This issue has no journal 999. [bad_argument]"


@pytest.mark.parametrize(
    ("login", "issue_id"),
    [("alice", 999), ("carol", 43), ("carol", 5)],
    ids=["missing", "private project", "private issue"],
)
async def test_missing_and_hidden_are_one(sign_in: Any, login: str, issue_id: int) -> None:
    """One clear sentence, the same for both."""
    async with sign_in(login) as client:
        answer = await refusal(client, issue_id)

    assert answer == f"Issue #{issue_id} does not exist, or you may not see it. [not_found]"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"issue_id": 0}, "issue_id"),
        ({"issue_id": 1, "journals": 1001}, "journals"),
        ({"issue_id": 1, "journals": -1}, "journals"),
        ({"issue_id": 1, "focus": "nothing"}, "focus"),
        ({"issue_id": 1, "includes": ["journals"]}, "includes"),
    ],
    ids=str,
)
async def test_wrong_arguments_are_named(
    sign_in: Any, sandbox: Sandbox, arguments: dict[str, Any], problem: str
) -> None:
    """In one sentence, before Redmine is asked."""
    async with sign_in() as client:
        answer = await refusal(client, **arguments)

    assert answer.startswith(f"get_issue_details was not called: {problem}")
    assert sandbox.requests == []
