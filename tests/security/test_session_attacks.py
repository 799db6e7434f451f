"""Attacks on the end of a session, and on its tokens."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from redmine_mcp_core.auth.upstream import RedmineTokenClient
from redmine_mcp_core.storage import StoreUnavailable
from tests.auth.test_session_life import becomes_revoked, proxy_of, revoke
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    authorize,
    pkce,
    redeem,
    refresh,
    register,
    sign_in,
)
from tests.support.signed_in import ping, redmine_token, sandbox_of


async def test_a_refresh_under_way_does_not_outlive_the_end(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds a stolen refresh token refreshes just while its owner signs out: when both are
    done, no token of either is good."""
    tokens = await sign_in(server.url)
    asked, goes_on = asyncio.Event(), asyncio.Event()
    ask = RedmineTokenClient.refresh_token

    async def slow(self: RedmineTokenClient, url: str, **params: Any) -> dict[str, Any]:
        answer = await ask(self, url, **params)
        asked.set()
        await goes_on.wait()
        return answer

    monkeypatch.setattr(RedmineTokenClient, "refresh_token", slow)
    acquire = server.host.store.acquire_lock
    waiting = asyncio.Event()

    async def acquired(*args: Any, **options: Any) -> int | None:
        fence = await acquire(*args, **options)
        if fence is None:
            waiting.set()
        return fence

    thief = asyncio.create_task(refresh(server.url, tokens))
    await asked.wait()
    monkeypatch.setattr(server.host.store, "acquire_lock", acquired)
    owner = asyncio.create_task(revoke(server, tokens.access, tokens.client_id))
    await asyncio.wait([asyncio.create_task(waiting.wait()), owner], return_when="FIRST_COMPLETED")
    goes_on.set()
    stolen, ended = (await thief).json(), await owner

    assert ended.status_code == 200
    for token in (tokens.access, stolen.get("access_token", "")):
        assert (await ping(server, token)).status_code == 401


async def test_nobody_renews_a_session_that_has_ended(server: Running) -> None:
    """A request that waited for the lock of a session finds it gone, and writes nothing back."""
    tokens = await sign_in(server.url)
    proxy = proxy_of(server)
    session_id = await proxy.session_id_of(tokens.access)
    stored = await proxy.upstream_tokens(session_id or "")
    assert stored is not None
    await revoke(server, tokens.access, tokens.client_id)
    before = sandbox_of(server).hits("/oauth/token")
    with pytest.raises(LookupError):
        await proxy.refresh_upstream(stored)

    assert await proxy.upstream_tokens(stored.upstream_token_id) is None
    assert sandbox_of(server).hits("/oauth/token") == before


async def test_what_was_revoked_stays_so_while_the_store_is_away(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory that helps over an outage holds nobody who was refused or signed out."""
    tokens, others = await sign_in(server.url), await sign_in(server.url, "bob")
    for known in (tokens, others):
        assert (await ping(server, known.access)).status_code == 200
    await revoke(server, tokens.access, tokens.client_id)

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The token store is away.")

    for operation in ("get", "put", "acquire_lock"):
        monkeypatch.setattr(server.host.store, operation, away)

    assert (await ping(server, others.access)).status_code == 200
    assert (await ping(server, tokens.access)).status_code == 503


async def test_a_session_that_ended_by_half_is_revoked_in_redmine(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store fails between two steps of the end; nobody could come back to what is forgotten,
    so Redmine has been told by then."""
    tokens = await sign_in(server.url)
    await ping(server, tokens.access)
    upstream = redmine_token(server)
    proxy = proxy_of(server)

    async def away(*_: Any) -> None:
        raise StoreUnavailable("The token store is away.")

    monkeypatch.setattr(proxy.sessions, "forget", away)
    answer = await revoke(server, tokens.access, tokens.client_id)

    assert answer.status_code == 503
    assert await becomes_revoked(server, upstream)
    assert (await ping(server, tokens.access)).status_code == 401


async def test_no_token_outlives_its_session(sandbox: Target) -> None:
    """Redmine's tokens are good for two hours; where a session ends before, so do they."""
    async with running_server(sandbox, mcp_session_days=0.005) as server:
        client_id = await register(server.url)
        verifier, challenge = pkce()
        arrived = await authorize(
            server.url, client_id, "alice", "password1234", challenge=challenge
        )
        answer = await redeem(server.url, client_id, arrived.params["code"], verifier)

    assert answer.json()["expires_in"] <= 0.005 * 86_400


async def test_a_hostile_token_is_refused_quietly(server: Running) -> None:
    """Whatever stands in place of a token: no error of ours, and no look at Redmine."""
    header = base64.urlsafe_b64encode(b'{"a":' + b"[" * 15_000).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    before = len(sandbox_of(server).requests)
    for token in (f"{header}.e30.x", f"{none}.e30.", "a.b.c.d.e", "..", "rmcp_", "key-ticket:e30="):
        assert (await ping(server, token)).status_code == 401, token[:20]

    assert len(sandbox_of(server).requests) == before
