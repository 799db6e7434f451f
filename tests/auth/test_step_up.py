"""What a client is told that lacks a permission: which one, and where to get it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from redmine_mcp_core.mcp.surface import CALL
from tests.support.servers import Running
from tests.support.sign_in import Tokens, sign_in


async def call(server: Running, tokens: Tokens, tool: str, /, **arguments: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/mcp",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": tool, "arguments": arguments},
            },
            headers={
                "Authorization": f"Bearer {tokens.access}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )


async def test_a_call_beyond_the_sign_in_names_what_is_missing(server: Running) -> None:
    """403 ``insufficient_scope``, with the scopes it has and the one it lacks, as the MCP
    specification asks, and where the authorization server is found."""
    tokens = await sign_in(server.url, scope="view_issues view_project")
    answer = await call(server, tokens, "create_issue", project="alpha", subject="New")
    challenge = answer.headers["www-authenticate"]

    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="add_issues view_issues view_project"' in challenge
    assert f'resource_metadata="{server.url}/.well-known/oauth-protected-resource/mcp"' in challenge
    assert answer.json()["error"] == "insufficient_scope"


async def test_a_client_that_asks_again_gets_it(server: Running) -> None:
    """With the scopes of the challenge, the same call works."""
    tokens = await sign_in(server.url, scope="view_issues view_project")
    refused = await call(server, tokens, "create_issue", project="alpha", subject="New")
    more = await sign_in(server.url, scope=refused.json()["scope"])
    answer = await call(server, more, "create_issue", project="alpha", subject="New")

    assert answer.status_code == 200
    assert "New" in answer.text


async def test_calling_a_found_tool_is_no_way_round(server: Running) -> None:
    """A tool that is called through another one needs the same."""
    tokens = await sign_in(server.url, scope="view_issues")
    answer = await call(server, tokens, CALL, name="delete_issue", arguments={"issue_id": 1})

    assert answer.status_code == 403
    assert "delete_issues" in answer.json()["scope"]


@pytest.mark.parametrize("name", ["get_issue_details", "no_such_tool", "find_tools"])
async def test_other_calls_pass(server: Running, name: str) -> None:
    """What the sign-in covers, and what does not exist, is for those behind to answer."""
    tokens = await sign_in(server.url, scope="view_issues")

    assert (await call(server, tokens, name, issue_id=1)).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b'"tools/call"',
        b'{"method": "tools/call"',
        b'{"method": "tools/call", "params": [1]}',
        b'{"method": "tools/call", "params": {"name": {}}}',
        b'[{"method": "tools/call", "params": {"name": "call_tool", "arguments": 7}}]',
    ],
)
async def test_a_strange_body_is_for_those_behind(server: Running, body: bytes) -> None:
    """It is neither challenged nor does it break anything: the protocol's own answer comes."""
    tokens = await sign_in(server.url, scope="view_issues")
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            f"{server.url}/mcp",
            content=body,
            headers={
                "Authorization": f"Bearer {tokens.access}",
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
            },
        )

    assert answer.status_code == 400
