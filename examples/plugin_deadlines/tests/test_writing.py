"""Putting a deadline off."""

from __future__ import annotations

from typing import Any

import pytest
from fastmcp.exceptions import ToolError

from redmine_mcp_core.testing import text_of
from redmine_mcp_core.testing.fixtures import SignIn

SCOPES = ("view_issues", "edit_issues", "add_issue_notes")
MONDAY, SATURDAY = "2027-03-01", "2027-03-06"


def call(issue_id: int, due_date: str) -> dict[str, Any]:
    arguments = {"issue_id": issue_id, "due_date": due_date, "reason": "The supplier is late."}
    return {"name": "postpone_issue", "arguments": arguments}


async def test_a_deadline_is_put_off(sign_in: SignIn) -> None:
    """The issue has the new day, and a comment that says why."""
    async with sign_in("alice", *SCOPES) as client:
        answer = await client.call_tool(**call(6, MONDAY))

    assert text_of(answer) == f"#6 was due 2026-01-31 and is now due {MONDAY}."


async def test_an_earlier_day_is_refused(sign_in: SignIn) -> None:
    """The sentence names the day it is due."""
    async with sign_in("alice", *SCOPES) as client:
        with pytest.raises(ToolError, match="due on 2026-01-31 already"):
            await client.call_tool(**call(6, "2025-01-31"))


async def test_nothing_is_due_on_a_weekend(sign_in: SignIn) -> None:
    """The rule holds before Redmine is asked."""
    async with sign_in("alice", *SCOPES) as client:
        with pytest.raises(ToolError, match="take a weekday"):
            await client.call_tool(**call(6, SATURDAY))


async def test_without_the_permission_there_is_no_such_tool(sign_in: SignIn) -> None:
    """Who may only look is not offered it, and cannot call it either."""
    async with sign_in("alice", "view_issues", "view_project") as client:
        with pytest.raises(ToolError, match="edit_issues"):
            await client.call_tool(**call(6, MONDAY))
