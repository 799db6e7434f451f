"""A stranger who tries everything leaves a bounded number of series, and no word of theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from fastmcp import Client
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError

from tests.support.servers import Target, running_server
from tests.support.sign_in import register, sign_in

WORD = "canaryword"
ROUNDS = 12
MOST_SERIES = 900
"""Counted: about 600, of which most are the buckets of histograms."""


async def attack(url: str, token: str, round_: int) -> None:
    """Paths, methods, tools, arguments, clients, headers and messages that nobody has seen yet."""
    word = f"{WORD}{round_}"
    async with httpx.AsyncClient(base_url=url) as http:
        for method, path in (
            ("GET", f"/{word}"),
            ("GET", f"/mcp/{word}"),
            ("POST", f"/register/{word}"),
            ("DELETE", f"/.well-known/{word}"),
            ("GET", f"/auth/callback?code={word}&state={word}"),
            ("GET", f"/authorize?client_id={word}&redirect_uri=http://{word}"),
            ("POST", f"/token?{word}"),
            ("PATCH", f"/health/{word}"),
        ):
            await http.request(method, path, headers={"X-Request-Id": word, "User-Agent": word})
        await http.post("/token", data={"grant_type": word, "client_id": word, "code": word})
        await http.post("/mcp", json={word: word}, headers={"Authorization": f"Bearer {word}"})
        for message in ({"method": word}, {"method": "tools/call", "params": {"name": word}}):
            await http.post(
                "/mcp",
                json={"jsonrpc": "2.0", "id": 1, **message},
                headers={
                    "Authorization": f"Bearer {token}",
                    "Accept": "application/json, text/event-stream",
                },
            )
    await register(url, client_name=word)
    async with Client(f"{url}/mcp", auth=token) as client:
        for tool, arguments in (
            (word, {}),
            ("call_tool", {"name": word, "arguments": {word: word}}),
            ("get_issue_details", {"issue_id": word}),
            ("get_issue_details", {"issue_id": 900_000 + round_}),
            ("search_issues", {"query": word, "project": word}),
        ):
            try:
                await client.call_tool(tool, arguments)
            except ToolError:
                continue
        for uri in (f"redmine://{word}", f"redmine://issues/{900_000 + round_}"):
            try:
                await client.read_resource(uri)
            except MCPError:
                continue


async def test_a_stranger_makes_no_series(sandbox: Target) -> None:
    """After the first round nothing new appears, however often somebody makes something up."""
    limits: dict[str, Any] = {"mcp_max_requests": 200}
    async with running_server(sandbox, **limits) as server:
        token = (await sign_in(server.url)).access
        await attack(server.url, token, 0)
        before = series(server.host.metrics.render())
        await asyncio.gather(*(attack(server.url, token, n) for n in range(1, ROUNDS)))
        after = series(server.host.metrics.render())

    assert len(after) < MOST_SERIES
    # Limits may begin to hold meanwhile, which is an outcome of its own.
    assert {name for name in after - before if "429" not in name and "limit" not in name} == set()
    assert not [name for name in after if WORD in name or "90000" in name]


def series(shown: bytes) -> set[str]:
    lines = shown.decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if line.startswith("redmine_mcp_")}
