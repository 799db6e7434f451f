"""Which tools are offered: the operator's choice, which a request can narrow and never widen."""

from __future__ import annotations

from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from redmine_mcp_core.mcp.selection import Selection
from redmine_mcp_core.testing import text_of
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration
from tests.support.servers import Target, running_server
from tests.support.sign_in import sign_in

READS = ToolDeclaration("get_thing", Effect.READS, frozenset())
WRITES = ToolDeclaration("update_thing", Effect.WRITES, frozenset())


@pytest.mark.parametrize(
    ("choice", "reads", "writes"),
    [
        (Selection(), True, True),
        (Selection(read_only=True), True, False),
        (Selection(("get_*",)), True, False),
        (Selection(("update_thing",)), False, True),
        (Selection(("update_thing",), read_only=True), False, False),
    ],
)
def test_a_choice(choice: Selection, reads: bool, writes: bool) -> None:
    """By pattern, by effect, or both."""
    assert (choice.allows(READS), choice.allows(WRITES)) == (reads, writes)


@pytest.mark.parametrize(
    ("value", "read_only"),
    [("true", True), ("1", True), ("yes", True), ("false", False), ("0", False), ("", False)],
)
def test_the_read_only_header(value: str, read_only: bool) -> None:
    """Anything but a no is a yes: a request that asks for less in odd words gets less."""
    assert Selection.from_headers({"x-mcp-read-only": value}).read_only is read_only


@pytest.mark.parametrize(
    ("settings", "headers", "offered"),
    [
        ({"mcp_tools": ["search_*"]}, {}, {"search_issues"}),
        ({}, {"X-MCP-Tools": "get_issue_details"}, {"get_issue_details"}),
        ({"mcp_tools": ["search_*"]}, {"X-MCP-Tools": "*"}, {"search_issues"}),
        ({"mcp_tools": ["search_*"]}, {"X-MCP-Tools": "get_issue_details"}, set()),
    ],
    ids=["operator", "request", "no wider", "both"],
)
async def test_what_is_not_offered_is_neither_listed_nor_called(
    sandbox: Target, settings: dict[str, Any], headers: dict[str, str], offered: set[str]
) -> None:
    """Over HTTP, with the real headers: the choice holds for the list and for the call."""
    ours = {"search_issues": {"query": "login"}, "get_issue_details": {"issue_id": 1}}
    async with running_server(sandbox, **settings) as server:
        tokens = await sign_in(server.url)
        transport = StreamableHttpTransport(
            f"{server.url}/mcp", headers=headers, auth=tokens.access
        )
        async with Client(transport) as client:
            listed = {tool.name for tool in await client.list_tools()} & set(ours)
            answers = {
                name: await client.call_tool(name, arguments, raise_on_error=False)
                for name, arguments in ours.items()
            }

    assert listed == offered
    assert {name for name, answer in answers.items() if not answer.is_error} == offered
    assert all("[not_offered]" in text_of(answer) for answer in answers.values() if answer.is_error)
