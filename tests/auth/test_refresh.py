"""Refreshing once: over replicas, for clients that ask twice, and while something is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import refresh as refreshing
from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from redmine_mcp_core.storage import StoreUnavailable
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import refresh, sign_in
from tests.support.signed_in import let_expire, ping, sandbox_of

REDEEMED = "/oauth/token"


@pytest.fixture
async def replicas(sandbox: Target, tmp_path: Path) -> AsyncIterator[list[Running]]:
    """Three servers over one SQLite file; each knows itself by the first one's address, as behind
    a load balancer."""
    url = f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_server(sandbox, token_store_url=url))
        others = [
            await stack.enter_async_context(
                running_server(sandbox, token_store_url=url, mcp_public_url=first.url)
            )
            for _ in range(2)
        ]
        yield [first, *others]


async def test_one_sign_in_is_good_on_every_replica(replicas: list[Running]) -> None:
    """What one replica issued every other accepts, and refreshes."""
    tokens = await sign_in(replicas[0].url)
    answers = [await ping(server, tokens.access) for server in replicas]
    refreshed = await refresh(replicas[2].url, tokens)

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert (await ping(replicas[1], refreshed.json()["access_token"])).status_code == 200


async def test_replicas_renew_an_expired_redmine_token_once(replicas: list[Running]) -> None:
    """Twelve calls at once, three replicas, one renewal at Redmine."""
    tokens = await sign_in(replicas[0].url)
    await let_expire(replicas[0], tokens)
    before = sandbox_of(replicas[0]).hits(REDEEMED)
    answers = await asyncio.gather(*(ping(server, tokens.access) for server in replicas * 4))

    assert {answer.status_code for answer in answers} == {200}
    assert sandbox_of(replicas[0]).hits(REDEEMED) - before == 1


async def test_refreshes_at_once_over_replicas_are_one(replicas: list[Running]) -> None:
    """Nine refreshes with one refresh token: one call to Redmine, and the same answer for all."""
    tokens = await sign_in(replicas[0].url)
    before = sandbox_of(replicas[0]).hits(REDEEMED)
    answers = await asyncio.gather(*(refresh(server.url, tokens) for server in replicas * 3))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert sandbox_of(replicas[0]).hits(REDEEMED) - before == 1


async def test_a_session_that_ends_ends_on_every_replica(replicas: list[Running]) -> None:
    """What one replica takes out of the store, the others refuse at the next request."""
    tokens = await sign_in(replicas[0].url)
    before = [(await ping(server, tokens.access)).status_code for server in replicas]
    proxy = replicas[0].host.mcp.auth
    assert isinstance(proxy, RedmineOAuthProxy)
    token_id = await proxy.upstream_token_id(tokens.access, "access")
    await replicas[0].host.store.delete(token_id or "", collection="mcp-upstream-tokens")
    after = [(await ping(server, tokens.access)).status_code for server in replicas]

    assert before == [200, 200, 200]
    assert after == [401, 401, 401]


async def test_a_repeated_refresh_is_answered_for_a_while(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose answer got lost asks again and gets it; later the used token is refused."""
    monkeypatch.setattr(refreshing, "GRACE_SECONDS", 0.3)
    tokens = await sign_in(server.url)
    first = await refresh(server.url, tokens)
    again = await refresh(server.url, tokens)
    while (late := await refresh(server.url, tokens)).status_code == 200:
        assert late.json() == first.json()

    assert again.json() == first.json()
    assert late.status_code == 401
    assert late.json()["error"] == "invalid_grant"


async def test_a_stranger_cannot_repeat_a_refresh(server: Running) -> None:
    """The answer is kept for the client that got it, and for no other."""
    mine = await sign_in(server.url)
    theirs = await sign_in(server.url, "bob")
    await refresh(server.url, mine)
    stolen = type(mine)(mine.access, mine.refresh, mine.scopes, theirs.client_id)

    assert (await refresh(server.url, stolen)).status_code == 401


async def test_while_the_store_is_away_nobody_is_signed_out(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was verified a moment ago goes on; everything else waits with 503 and then works."""
    known, unseen = await sign_in(server.url), await sign_in(server.url, "bob")
    await ping(server, known.access)

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The token store is away.")

    with monkeypatch.context() as patch:
        for operation in ("get", "put", "acquire_lock"):
            patch.setattr(server.host.store, operation, away)
        during = [
            (await ping(server, known.access)).status_code,
            (await ping(server, unseen.access)).status_code,
            (await ping(server, "made-up")).status_code,
            (await refresh(server.url, known)).status_code,
        ]

    assert during == [200, 503, 401, 503]
    assert (await ping(server, unseen.access)).status_code == 200
    assert (await refresh(server.url, known)).status_code == 200


async def test_a_sign_in_waits_for_the_store(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coming back from Redmine while the store is away ends on a page that says so, with 503."""

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The token store is away.")

    monkeypatch.setattr(server.host.store, "get", away)
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/auth/callback?code=any&state=any")

    assert answer.status_code == 503
    assert "cannot reach the store" in answer.text


async def test_a_postponed_refresh_is_counted(server: Running) -> None:
    """While Redmine is away a refresh waits with 503, and an operator sees it."""
    tokens = await sign_in(server.url)
    sandbox_of(server).outage = True
    answer = await refresh(server.url, tokens)

    assert answer.status_code == 503
    assert b'refreshes_total{outcome="postponed"} 1.0' in server.host.metrics.render()
