"""Limits on a running server: who floods is told when to come back, and everybody else works on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from fastmcp import Client
from mcp.shared.exceptions import MCPError

from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import Tokens, sign_in

Era = Literal["auto", "legacy"]
CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def calls(url: str, tokens: Tokens, times: int, **headers: str) -> list[int]:
    """The statuses of so many calls."""
    headers = {"Authorization": f"Bearer {tokens.access}", **ACCEPT, **headers}
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        return [(await http.post(f"{url}/mcp", json=CALL)).status_code for _ in range(times)]


@pytest.fixture
async def limited(sandbox: Target) -> AsyncIterator[Running]:
    """A server with small limits, behind a proxy that it trusts."""
    async with running_server(
        sandbox,
        mcp_limit_user=12,
        mcp_limit_registration=2,
        mcp_limit_address=40,
        mcp_trusted_proxies=["127.0.0.1"],
    ) as running:
        yield running


async def test_a_flooding_user_and_an_undisturbed_one(limited: Running) -> None:
    """After her limit alice is refused; bob, from the same address, is not; and it is counted."""
    alice = await sign_in(limited.url, "alice")
    bob = await sign_in(limited.url, "bob")

    flood = await calls(limited.url, alice, 30)
    undisturbed = await calls(limited.url, bob, 6)

    assert flood == [200] * 12 + [429] * 18
    assert undisturbed == [200] * 6
    assert 'limits_hit_total{limit="calls_per_user"} 1.0' in limited.host.metrics.render().decode()


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_an_mcp_client_shows_the_sentence(limited: Running, era: Era) -> None:
    """In both eras: what the model and the person read says when to come back."""
    tokens = await sign_in(limited.url)
    with pytest.raises(MCPError, match=r"Too many requests\. Try again in \d+ seconds"):  # noqa: PT012
        async with Client(f"{limited.url}/mcp", auth=tokens.access, mode=era) as client:
            for _ in range(13):
                await client.list_tools()


async def test_an_address_is_limited_before_anything_is_looked_up(limited: Running) -> None:
    """Without a token as well; another address is not concerned, whatever this one claims."""
    async with httpx.AsyncClient(base_url=limited.url) as http:

        async def ask(seen_by_proxy: str) -> int:
            headers = {"X-Forwarded-For": seen_by_proxy}
            return (await http.post("/mcp", json=CALL, headers=headers)).status_code

        flood = [await ask(f"192.0.2.{number}, 198.51.100.7") for number in range(45)]
        other = await ask("198.51.100.8")

    assert flood == [401] * 40 + [429] * 5
    assert other == 401


async def test_registrations_are_limited_more_strictly(limited: Running) -> None:
    """With Retry-After, in the words of OAuth; signing in and calling go on."""
    body = {"redirect_uris": ["http://127.0.0.1:1/callback"]}
    headers = {"X-Forwarded-For": "198.51.100.7"}
    async with httpx.AsyncClient(base_url=limited.url, headers=headers) as http:
        answers = [await http.post("/register", json=body) for _ in range(3)]
        metadata = await http.get("/.well-known/oauth-authorization-server")

    refused: Any = answers.pop()
    assert {201} == {answer.status_code for answer in answers}
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["error"] == "too_many_requests"
    assert metadata.status_code == 200


async def test_replicas_share_limits(sandbox: Target, tmp_path: Path) -> None:
    """Two servers over one store: together they let through what one would."""
    store = f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    options: dict[str, Any] = {"token_store_url": store, "mcp_limit_user": 10}
    async with (
        running_server(sandbox, **options) as one,
        running_server(sandbox, **options, mcp_public_url=one.url) as two,
    ):
        tokens = await sign_in(one.url)
        statuses = []
        for _ in range(10):
            statuses += await calls(one.url, tokens, 1)
            statuses += await calls(two.url, tokens, 1)

    assert statuses == [200] * 10 + [429] * 10
