"""What the sign-in tests share: calling a tool with a token, and the token behind it."""

from __future__ import annotations

import httpx
from redmine_mcp_sandbox import Sandbox

from tests.support.servers import Running


def sandbox_of(server: Running) -> Sandbox:
    sandbox = server.target.sandbox
    assert sandbox is not None
    return sandbox


def redmine_token(server: Running) -> str:
    """The Redmine token that our server used last."""
    for request in reversed(sandbox_of(server).requests):
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            return token
    raise AssertionError("no token was used")


async def ping(server: Running, token: str) -> httpx.Response:
    """The smallest request that needs a sign-in."""
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )
