"""Issues as resources."""

from __future__ import annotations

from typing import Any

import pytest
from fastmcp.exceptions import McpError
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import text_of


async def test_an_issue_reads_like_its_overview(read_as: Any) -> None:
    """The same words, so that attaching it costs no more than asking for it."""
    async with read_as() as client:
        (resource,) = await client.read_resource("redmine://issues/11")
        told = text_of(await client.call_tool("get_issue_details", {"issue_id": 11}))

    assert resource.mime_type == "text/plain"
    assert resource.text.splitlines()[1:-1] == told.splitlines()[1:-1]


async def test_the_template_is_offered(sign_in: Any) -> None:
    """With a title and a sentence about it."""
    async with sign_in() as client:
        (template,) = await client.list_resource_templates()

    assert template.uri_template == "redmine://issues/{issue_id}"
    assert template.title == "An issue"
    assert template.description


@pytest.mark.parametrize(("login", "issue"), [("alice", "999"), ("carol", "43"), ("alice", "zero")])
async def test_missing_and_hidden_are_one(sign_in: Any, login: str, issue: str) -> None:
    """One sentence, the same for both."""
    async with sign_in(login) as client:
        with pytest.raises(McpError, match="does not exist, or you may not see it"):
            await client.read_resource(f"redmine://issues/{issue}")


@pytest.mark.parametrize("issue", ["1.json", "..", "%2e%2e%2fusers%2f1", "0", "-1"])
async def test_a_strange_number_reaches_no_redmine(
    sign_in: Any, sandbox: Sandbox, issue: str
) -> None:
    """What is no number is no part of a path."""
    async with sign_in() as client:
        with pytest.raises(McpError):
            await client.read_resource(f"redmine://issues/{issue}")

    assert sandbox.requests == []


async def test_a_sign_in_without_the_scope_reads_nothing(sign_in: Any) -> None:
    """Redmine refuses what was not granted."""
    async with sign_in("alice", "view_project") as client:
        with pytest.raises(McpError, match="does not exist, or you may not see it"):
            await client.read_resource("redmine://issues/1")
