"""Two people at once on two replicas: nobody ever sees what is another's."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx

from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import sign_in
from tests.support.signed_in import sandbox_of

CALLS = 1000
AT_ONCE = 20
ERAS = ("2025-11-25", "2026-07-28")


async def whoami(http: httpx.AsyncClient, url: str, headers: dict[str, str], era: str) -> str:
    """Read the current user, in either era of the protocol."""
    params: dict[str, object] = {"uri": "redmine://users/me"}
    modern = {}
    if era == "2026-07-28":
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        modern = {"Mcp-Method": "resources/read", "Mcp-Name": "redmine://users/me"}
    answer = await http.post(
        f"{url}/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params},
        headers={
            **headers,
            **modern,
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": era,
        },
    )
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_two_people_on_two_replicas_stay_apart(sandbox: Target, tmp_path: Path) -> None:
    """A thousand interleaved calls, two users signed in and one by a header, both eras: every
    answer is the caller's own."""
    store = f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    no_limit = dict.fromkeys(("mcp_limit_user", "mcp_limit_client", "mcp_limit_address"), 0)
    shared: dict[str, Any] = {
        "token_store_url": store,
        "mcp_sign_in": ["oauth", "header"],
        **no_limit,
    }
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_server(sandbox, **shared))
        second = await stack.enter_async_context(
            running_server(sandbox, mcp_public_url=first.url, **shared)
        )
        people = await _people(first)
        calls = list(
            itertools.islice(
                itertools.cycle(itertools.product((first, second), people.items(), ERAS)), CALLS
            )
        )
        limited = asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(timeout=30) as http:

            async def one(server: Running, login: str, headers: dict[str, str], era: str) -> bool:
                async with limited:
                    said = await whoami(http, server.url, headers, era)
                others = {"alice", "bob", "carol"} - {login}
                return login in said and not any(other in said for other in others)

            right = await asyncio.gather(
                *(one(server, login, headers, era) for server, (login, headers), era in calls)
            )

    assert len(right) == CALLS
    assert all(right)


async def _people(server: Running) -> dict[str, dict[str, str]]:
    signed_in = {login: await sign_in(server.url, login) for login in ("alice", "bob")}
    return {
        **{
            login: {"Authorization": f"Bearer {tokens.access}"}
            for login, tokens in signed_in.items()
        },
        "carol": {"X-Redmine-API-Key": sandbox_of(server).api_key("carol")},
    }
