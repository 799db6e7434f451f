"""How a session begins, is bounded, and ends: on every replica, and in Redmine as well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import refresh as refreshing
from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from redmine_mcp_core.auth.sessions import DAY, TOUCH_SECONDS, Bounds, Session, Sessions
from redmine_mcp_core.redmine import Credential, Gateway, RedmineError
from redmine_mcp_core.storage.memory import MemoryStore
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    Tokens,
    authorize,
    pkce,
    redeem,
    refresh,
    register,
    sign_in,
    tokens_from,
)
from tests.support.signed_in import ping, redmine_token, sandbox_of


def proxy_of(server: Running) -> RedmineOAuthProxy:
    proxy = server.host.mcp.auth
    assert isinstance(proxy, RedmineOAuthProxy)
    return proxy


def user_id(server: Running, tokens: Tokens) -> int:
    """Whose tokens these are."""
    return int(proxy_of(server).claims_of(tokens.access)["upstream_claims"]["user_id"])


async def revoke(server: Running, token: str, client_id: str, **form: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/revoke", data={"token": token, "client_id": client_id, **form}
        )


async def is_revoked_in_redmine(server: Running, token: str) -> bool:
    """Whether Redmine itself refuses this token."""
    async with Gateway(server.target.url, backoff=0.01) as gateway:
        try:
            await gateway.request("GET", "/my/account.json", credential=Credential.bearer(token))
        except RedmineError:
            return True
        return False


async def becomes_revoked(server: Running, token: str) -> bool:
    """Whether Redmine refuses the token within five seconds: it is told in the background."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if await is_revoked_in_redmine(server, token):
            return True
    return False


@pytest.fixture
async def replicas(sandbox: Target, tmp_path: Path) -> AsyncIterator[list[Running]]:
    url = f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running_server(sandbox, token_store_url=url))
        second = await stack.enter_async_context(
            running_server(sandbox, token_store_url=url, mcp_public_url=first.url)
        )
        yield [first, second]


async def test_a_replayed_refresh_token_ends_the_session(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace, a used refresh token means that it is in two hands: nobody keeps the
    session, in Redmine neither (RFC 9700, section 4.14.2)."""
    monkeypatch.setattr(refreshing, "GRACE_SECONDS", 0.2)
    stolen = await sign_in(server.url)
    live = tokens_from(await refresh(server.url, stolen), stolen.client_id)
    assert (await ping(server, live.access)).status_code == 200
    upstream = redmine_token(server)
    while (replayed := await refresh(server.url, stolen)).status_code == 200:
        pass

    assert replayed.json()["error"] == "invalid_grant"
    assert (await ping(server, live.access)).status_code == 401
    assert (await refresh(server.url, live)).json()["error"] == "invalid_grant"
    assert await becomes_revoked(server, upstream)


async def test_a_made_up_refresh_token_ends_nothing(server: Running) -> None:
    """Only a token that we issued and that was used says that something is wrong."""
    tokens = await sign_in(server.url)
    made_up = Tokens(tokens.access, tokens.refresh[:-4] + "AAAA", tokens.scopes, tokens.client_id)

    assert (await refresh(server.url, made_up)).status_code == 401
    assert (await ping(server, tokens.access)).status_code == 200


async def test_a_replayed_code_ends_what_it_gave(server: Running) -> None:
    """A code that comes a second time ends the session of the first (RFC 6749, section 4.1.2)."""
    client_id = await register(server.url)
    verifier, challenge = pkce()
    arrived = await authorize(server.url, client_id, "alice", "password1234", challenge=challenge)
    code = arrived.params["code"]
    tokens = tokens_from(await redeem(server.url, client_id, code, verifier), client_id)
    before = await ping(server, tokens.access)
    again = await redeem(server.url, client_id, code, verifier)

    assert before.status_code == 200
    assert again.json()["error"] == "invalid_grant"
    assert (await ping(server, tokens.access)).status_code == 401


@pytest.mark.parametrize("kind", ["access", "refresh"])
async def test_a_client_signs_out(replicas: list[Running], kind: str) -> None:
    """Either token ends the session: at the next request on every replica, and in Redmine."""
    tokens = await sign_in(replicas[0].url)
    assert [(await ping(server, tokens.access)).status_code for server in replicas] == [200, 200]
    upstream = redmine_token(replicas[0])
    answer = await revoke(replicas[0], getattr(tokens, kind), tokens.client_id)

    assert (answer.status_code, answer.content) == (200, b"")
    assert [(await ping(server, tokens.access)).status_code for server in replicas] == [401, 401]
    assert (await refresh(replicas[1].url, tokens)).json()["error"] == "invalid_grant"
    assert await becomes_revoked(replicas[0], upstream)


@pytest.mark.real_redmine
async def test_redmine_itself_forgets_a_revoked_session(real_redmine: Target) -> None:
    """The real Redmine refuses both of its tokens afterwards."""
    async with running_server(real_redmine) as server:
        tokens = await sign_in(server.url)
        proxy = proxy_of(server)
        session = await proxy.session_id_of(tokens.access)
        stored = await proxy.upstream_tokens(session or "")
        assert stored is not None
        assert not await is_revoked_in_redmine(server, stored.access_token)
        await revoke(server, tokens.refresh, tokens.client_id)

        assert await becomes_revoked(server, stored.access_token)
        assert (await ping(server, tokens.access)).status_code == 401


async def test_the_metadata_names_the_endpoint(server: Running) -> None:
    """A client finds it, and that it needs no secret (RFC 8414, section 2)."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/.well-known/oauth-authorization-server")

    assert answer.json()["revocation_endpoint"] == f"{server.url}/revoke"
    assert answer.json()["revocation_endpoint_auth_methods_supported"] == ["none"]


async def test_another_client_cannot_sign_one_out(server: Running) -> None:
    """A token of another client is answered like an unknown one, and stays."""
    mine, theirs = await sign_in(server.url), await sign_in(server.url, "bob")
    answers = [
        await revoke(server, mine.access, theirs.client_id),
        await revoke(server, "made-up", mine.client_id),
        await revoke(server, mine.access, "made-up"),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert (await ping(server, mine.access)).status_code == 200


@pytest.mark.parametrize("missing", ["token", "client_id"])
async def test_a_revocation_without_its_parameters(server: Running, missing: str) -> None:
    """It is told which one is missing (RFC 6749, section 5.2)."""
    form = {"token": "t", "client_id": "c"} | {missing: ""}
    answer = await revoke(server, form["token"], form["client_id"])

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_request",
        "error_description": f"{missing} is missing",
    }


async def test_a_session_ends_while_redmine_is_away(server: Running) -> None:
    """Signing out works without Redmine: the store forgets, and Redmine is told later."""
    tokens = await sign_in(server.url)
    await ping(server, tokens.access)
    upstream = redmine_token(server)
    sandbox = sandbox_of(server)
    sandbox.outage = True
    answer = await revoke(server, tokens.access, tokens.client_id)
    after = await ping(server, tokens.access)
    sandbox.outage = False

    assert (answer.status_code, after.status_code) == (200, 401)
    assert await becomes_revoked(server, upstream)


async def test_an_absolute_end(sandbox: Target) -> None:
    """No refresh prolongs a session beyond its days, and what is issued near the end is short."""
    async with running_server(sandbox, mcp_session_days=10 / DAY) as server:
        tokens = await sign_in(server.url)
        proxy = proxy_of(server)
        session = await proxy.session_id_of(tokens.access)
        stored = await proxy.upstream_tokens(session or "")
        assert stored is not None
        first = await refresh(server.url, tokens)
        old = stored.model_copy(update={"created_at": time.time() - 60})
        await proxy._upstream_token_store.put(key=old.upstream_token_id, value=old, ttl=60)
        late = await refresh(server.url, tokens_from(first, tokens.client_id))
        claims = proxy.jwt_issuer.verify_token(tokens.refresh, expected_token_use="refresh")

        assert first.status_code == 200
        assert claims["exp"] <= time.time() + 11
        assert late.json()["error"] == "invalid_grant"
        assert (await ping(server, first.json()["access_token"])).status_code == 401


async def test_an_idle_session_ends(sandbox: Target) -> None:
    """A refresh token is good for the idle time, counted anew at each refresh."""
    async with running_server(sandbox, mcp_session_idle_days=2) as server:
        tokens = await sign_in(server.url)
        renewed = tokens_from(await refresh(server.url, tokens), tokens.client_id)
        issuer = proxy_of(server).jwt_issuer
        for token in (tokens, renewed):
            claims = issuer.verify_token(token.refresh, expected_token_use="refresh")
            assert claims["exp"] - claims["iat"] == pytest.approx(2 * DAY, abs=2)


class Clock:
    """The time, for the store and for who asks what time it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        monkeypatch.setattr("redmine_mcp_core.auth.sessions.time.time", self)

    def __call__(self) -> float:
        return self.now


def a_session(clock: Clock) -> Session:
    return Session("1", 7, "alice", "client", "A client", [], "oauth", clock.now, clock.now)


async def test_an_idle_session_leaves_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees one whose tokens have run out, and it takes no place of the user's."""
    clock = Clock(monkeypatch)
    bounds = Bounds(idle=7 * DAY, absolute=30 * DAY)
    sessions = Sessions(MemoryStore(clock=clock), bounds, redmine_url="https://r.example.com")
    await sessions.begin(a_session(clock))
    clock.now += 7 * DAY
    at_the_end = await sessions.of_user(7)
    clock.now += 2 * TOUCH_SECONDS + 1

    assert [session.id for session in at_the_end] == ["1"]
    assert await sessions.of_user(7) == []
    assert await sessions.get("1") is None


@pytest.mark.parametrize("late", [0, 1, TOUCH_SECONDS - 1, TOUCH_SECONDS])
async def test_a_session_in_rare_use_stays_on_the_list(
    monkeypatch: pytest.MonkeyPatch, late: int
) -> None:
    """Used twice some seconds apart, and then not until its tokens have all but run out, it is
    there, until its absolute end and no longer."""
    clock = Clock(monkeypatch)
    bounds = Bounds(idle=7 * DAY, absolute=30 * DAY)
    sessions = Sessions(MemoryStore(clock=clock), bounds, redmine_url="https://r.example.com")
    await sessions.begin(a_session(clock))
    for _ in range(4):
        clock.now += late
        await sessions.touch("1")
        clock.now += 7 * DAY - 1
        assert await sessions.get("1") is not None
        await sessions.touch("1")
    clock.now += 30 * DAY - 4 * (7 * DAY - 1 + late) - 1
    near_the_end = await sessions.get("1")
    clock.now += 2

    assert near_the_end is not None
    assert await sessions.get("1") is None


async def test_a_refresh_is_use(server: Running) -> None:
    """A client that does nothing but refresh stays on the list."""
    tokens = await sign_in(server.url)
    proxy, store = proxy_of(server), server.host.store
    (session,) = await proxy.sessions.of_user(user_id(server, tokens))
    long_ago = replace(session, used=time.time() - 6 * DAY)
    await store.put(session.id, asdict(long_ago), collection="sessions", ttl=DAY)
    answer = await refresh(server.url, tokens)
    _, left = await store.ttl(session.id, collection="sessions")
    listed = await proxy.sessions.get(session.id)

    assert answer.status_code == 200
    assert listed is not None
    assert listed.used == pytest.approx(time.time(), abs=60)
    assert left == pytest.approx(7 * DAY + 2 * TOUCH_SECONDS, abs=60)


async def test_one_session_too_many_ends_the_oldest(sandbox: Target) -> None:
    """A user has so many sign-ins at once and no more; others' are not counted."""
    async with running_server(sandbox, mcp_sessions_per_user=2) as server:
        bobs = await sign_in(server.url, "bob")
        alices = [await sign_in(server.url) for _ in range(3)]
        answers = [(await ping(server, tokens.access)).status_code for tokens in (*alices, bobs)]

    assert answers == [401, 200, 200, 200]


async def test_sessions_are_listed_for_their_user(server: Running) -> None:
    """Who is signed in with what, the one used last first."""
    before = time.time()
    await sign_in(server.url)
    bobs = await sign_in(server.url, "bob", scope="view_issues")
    sessions = proxy_of(server).sessions
    listed = await sessions.of_user(user_id(server, bobs))

    assert [session.client_id for session in listed] == [bobs.client_id]
    assert listed[0].login == "bob"
    assert list(listed[0].scopes) == ["view_issues"]
    assert listed[0].way == "oauth"
    assert before <= listed[0].began <= listed[0].used <= time.time()
    assert await sessions.of_client(bobs.client_id) == listed


async def test_sign_ins_at_once_are_all_listed(server: Running) -> None:
    """Of sessions that begin at the same time none is lost from the list."""
    alices = await asyncio.gather(*(sign_in(server.url) for _ in range(4)))
    listed = await proxy_of(server).sessions.of_user(user_id(server, alices[0]))

    assert {session.client_id for session in listed} == {tokens.client_id for tokens in alices}


async def test_a_code_is_good_for_a_minute(server: Running) -> None:
    """The store keeps a code for 60 s and a sign-in under way for 10 minutes."""
    proxy = proxy_of(server)
    client_id = await register(server.url)
    _, challenge = pkce()
    arrived = await authorize(server.url, client_id, "alice", "password1234", challenge=challenge)
    async with httpx.AsyncClient() as http:
        started = await http.get(
            f"{server.url}/authorize",
            params={
                "response_type": "code",
                "client_id": client_id,
                "redirect_uri": "http://127.0.0.1:39175/callback",
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )
    txn_id = httpx.URL(started.headers["location"]).params["txn_id"]
    code = arrived.params["code"]
    _, code_left = await server.host.store.ttl(code, collection="mcp-authorization-codes")
    _, txn_left = await server.host.store.ttl(txn_id, collection="mcp-oauth-transactions")

    assert await proxy.transaction(txn_id)
    assert 50 < (code_left or 0) <= 60
    assert 590 < (txn_left or 0) <= 600
