"""What tests do with a sign-in: call with it, find Redmine's token behind it, let that expire."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from tests.support.servers import Running
from tests.support.sign_in import Tokens


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


async def let_expire(server: Running, tokens: Tokens) -> None:
    """Let the Redmine token of a sign-in pass its end: in Redmine, in the store, in the cache."""
    sandbox_of(server).expire(redmine_token(server))
    proxy = server.host.mcp.auth
    assert isinstance(proxy, RedmineOAuthProxy)
    token_id = await proxy.upstream_token_id(tokens.access, "access")
    stored = await proxy.upstream_tokens(token_id or "")
    assert stored is not None
    expired = stored.model_copy(update={"expires_at": time.time() - 1})
    await proxy._upstream_token_store.put(key=stored.upstream_token_id, value=expired, ttl=3600)
    proxy.verifier.forget(stored.access_token)


async def ping(
    server: Running, token: str = "", *, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """The smallest request that needs a sign-in, by a token or by other headers."""
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
            headers={
                **(headers or {"Authorization": f"Bearer {token}"}),
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )
