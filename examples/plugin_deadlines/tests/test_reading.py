"""What is due."""

from __future__ import annotations

import pytest
from fastmcp.exceptions import ToolError

from redmine_mcp_core.testing import seen_by_model, text_of, unmarked
from redmine_mcp_core.testing.fixtures import SignIn, Target


async def test_deadlines_are_listed(redmine: Target) -> None:
    """The open issues that are due by then, the earliest first; the sandbox and a real Redmine."""
    async with redmine.client("alice") as client:
        answer = await client.call_tool(
            "list_deadlines", {"project": "alpha", "until": "2026-01-31"}
        )

    days = [deadline["due_date"] for deadline in answer.structured_content["deadlines"]]
    assert days == sorted(days)
    assert "2026-01-31 #6 Export of large reports times out" in unmarked(text_of(answer))


async def test_nothing_is_due(sign_in: SignIn) -> None:
    """An empty list is a sentence."""
    async with sign_in("alice") as client:
        answer = await client.call_tool(
            "list_deadlines", {"project": "alpha", "until": "2020-01-01"}
        )

    assert text_of(answer) == "Nothing is due."


async def test_a_project_that_does_not_exist(sign_in: SignIn) -> None:
    """The answer names those there are."""
    async with sign_in("alice") as client:
        with pytest.raises(ToolError, match=r"There are: .*Alpha"):
            await client.call_tool("list_deadlines", {"project": "omega"})


async def test_what_a_model_has_to_read(sign_in: SignIn) -> None:
    """Every conversation pays for a listed tool: this one costs it less than 450 bytes."""
    async with sign_in("alice") as client:
        tools = {tool.name: tool for tool in await client.list_tools()}

    assert len(seen_by_model(tools["list_deadlines"])) < 450
