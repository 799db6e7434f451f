"""Attacks on the fence that holds the scopes of keys and of service accounts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.redmine import Credential, Fence, Forbidden, Redmine
from tests.support.servers import Running
from tests.support.service_accounts import add
from tests.support.signed_in import sandbox_of

EVERYTHING_BUT_ADMIN = Fence(frozenset({"view_issues", "view_wiki_pages", "edit_wiki_pages"}))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/attachments/../users.json"),
        ("GET", "/attachments/%2e%2e/users.json"),
        ("GET", "/attachments/1/..%2f..%2fusers.json"),
        ("GET", "/issues/.."),
        ("PUT", "/projects/alpha/wiki/..json"),
        ("PUT", "/projects/alpha/wiki/.."),
        ("GET", "//users.json"),
        ("GET", "/issues.csv"),
        ("get", "/users.json"),
        ("HEAD", "/users.json"),
        ("GET", "/issues/1/../../users.json"),
        ("GET", "/USERS.json"),
    ],
)
def test_no_spelling_of_a_path_leads_round_the_fence(method: str, path: str) -> None:
    """What would be another path at Redmine than it is here is refused."""
    with pytest.raises(Forbidden):
        EVERYTHING_BUT_ADMIN.check(method, path)


async def test_a_search_finds_what_may_be_seen_and_no_more(server: Running) -> None:
    """With a key Redmine searches as the user, whatever was allowed to the program."""
    key = Credential.api_key(sandbox_of(server).api_key("alice"))
    searcher = Redmine(server.host.gateway, key, fence=Fence(frozenset({"search_project"})))
    reader = Redmine(
        server.host.gateway, key, fence=Fence(frozenset({"search_project", "view_issues"}))
    )
    found = [await who.get("/search.json", q="login", limit=25) for who in (searcher, reader)]

    assert [item["type"] for item in found[0]["results"] if item["type"] != "project"] == []
    assert {item["type"] for item in found[1]["results"]} >= {"issue"}


WRITE = {"name": "create_issue", "arguments": {"project": "alpha", "subject": "x"}}


async def test_a_read_only_account_writes_by_no_way(server: Running) -> None:
    """Not by a tool, not by the tool that calls another, not in a batch, and not spelt with
    escapes or twice: Redmine gets no request that changes anything."""
    scopes = ("view_issues", "view_project", "add_issues")
    await add(server, read_only=True, scopes=scopes)
    await add(server, name="writer", scopes=scopes)
    accounts = ServiceAccounts(server.host.store)
    reader, _ = await accounts.new_token("nightly", 1000)
    writer, _ = await accounts.new_token("writer", 1000)
    call = '{{"jsonrpc":"2.0","id":1,"method":{},"params":{}}}'
    by_another = {"name": "call_tool", "arguments": WRITE}
    for body in (
        call.format('"tools/call"', _json(WRITE)),
        call.format('"tools/call"', _json(by_another)),
        call.format('"tools\\u002fcall"', _json(WRITE)),
        "[" + call.format('"tools/call"', _json(WRITE)) + "]",
        call.format('"ping","method":"tools/call"', _json(WRITE)),
    ):
        assert (await _post(server, reader, body)).status_code < 500, body
    assert {request.method for request in sandbox_of(server).requests} <= {"GET"}

    await _post(server, writer, call.format('"tools\\u002fcall"', _json(WRITE)))
    assert {request.method for request in sandbox_of(server).requests} == {"GET", "POST"}


async def _post(server: Running, token: str, body: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/mcp",
            content=body,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "Content-Type": "application/json",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )


def _json(value: dict[str, Any]) -> str:
    return httpx.Request("POST", "http://x", json=value).content.decode()
