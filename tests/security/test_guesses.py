"""Attacks by trying out passwords and API keys."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth.guesses import AT_ONCE, MOST, MOST_OF_ALL
from redmine_mcp_core.edge.counting import SharedCounts
from redmine_mcp_core.storage import StoreUnavailable
from tests.auth.test_key_login import open_key_page
from tests.support.forms import Browser
from tests.support.servers import WITHOUT_OAUTH, Running, Target, running_server
from tests.support.sign_in import REDIRECT_URI, pkce
from tests.support.signed_in import ping, sandbox_of


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """No count begins anew in the middle of a test."""
    defaults = {"clock": lambda: 1_700_000_000.0}
    monkeypatch.setattr(SharedCounts.__init__, "__kwdefaults__", defaults)


def basic(login: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{login}:{password}'.encode()).decode()}"}


def asked_of_redmine(server: Running) -> int:
    """How many keys and passwords Redmine was shown."""
    return sandbox_of(server).hits("/my/account.json")


async def test_passwords_cannot_be_tried_out(sandbox: Target) -> None:
    """Redmine sees one address, ours, and cannot tell a guesser from everybody: so we count. Who
    guessed too often is not told whether the next one is right; others are."""
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        known = basic("bob", "password1234")
        assert (await ping(server, headers=known)).status_code == 200
        for number in range(MOST):
            answer = await ping(server, headers=basic("alice", f"guess-{number}"))
            assert answer.status_code == 401
        right = await ping(server, headers=basic("alice", "password1234"))
        others = await ping(server, headers=known)

    assert right.status_code == 429
    assert 0 < int(right.headers["retry-after"]) <= 60
    assert others.status_code == 200
    assert asked_of_redmine(server) == MOST + 1


async def test_many_guesses_at_once_are_no_way_round(sandbox: Target) -> None:
    """They are asked about a few at a time, so that the first ones count for the last ones."""
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        guesses = [basic("alice", f"guess-{number}") for number in range(40)]
        answers = await asyncio.gather(*(ping(server, headers=guess) for guess in guesses))

    assert {answer.status_code for answer in answers} == {401, 429}
    assert asked_of_redmine(server) < MOST + AT_ONCE


async def test_one_password_cannot_be_tried_with_many_logins(
    sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All logins together have a bound as well."""
    monkeypatch.setattr("redmine_mcp_core.auth.guesses.MOST_OF_ALL", 10)
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        guesses = [basic(f"login-{number}", "summer2026") for number in range(25)]
        answers = await asyncio.gather(*(ping(server, headers=guess) for guess in guesses))

    assert {answer.status_code for answer in answers} == {401, 429}
    assert asked_of_redmine(server) < 10 + AT_ONCE
    assert MOST < MOST_OF_ALL


@asynccontextmanager
async def replicas(sandbox: Target, folder: Path, **settings: Any) -> AsyncIterator[list[Running]]:
    """Two servers over one store."""
    store = f"sqlite:///{folder / 'tokens.sqlite3'}"
    async with (
        running_server(sandbox, token_store_url=store, **settings) as one,
        running_server(sandbox, token_store_url=store, **settings) as other,
    ):
        yield [one, other]


async def test_replicas_share_the_count_of_guesses(sandbox: Target, tmp_path: Path) -> None:
    """Who goes from one replica to the next guesses no more often."""
    async with replicas(sandbox, tmp_path, mcp_sign_in=["oauth", "header"]) as servers:
        for number in range(13):
            for server in servers:
                await ping(server, headers=basic("alice", f"guess-{number}-{server.url}"))
        last = [await ping(server, headers=basic("alice", "password1234")) for server in servers]

    assert [answer.status_code for answer in last] == [429, 429]
    assert asked_of_redmine(servers[0]) <= MOST + 2


async def test_guesses_are_counted_while_the_store_is_away(
    sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then each replica counts for itself."""

    async def away(*_: Any, **__: Any) -> int:
        raise StoreUnavailable("The token store is away.")

    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        monkeypatch.setattr(server.host.store, "increment", away)
        for number in range(26):
            await ping(server, headers=basic("alice", f"guess-{number}"))

    assert asked_of_redmine(server) == MOST


async def test_many_addresses_of_one_network_are_one_guesser(sandbox: Target) -> None:
    """One person has a whole /64 of IPv6 addresses; another network is another person."""
    async with running_server(
        sandbox, mcp_sign_in=["oauth", "header"], mcp_trusted_proxies=["127.0.0.1"]
    ) as server:
        for number in range(26):
            address = {"X-Forwarded-For": f"2001:db8:0:1::{number:x}"}
            await ping(server, headers={**basic("alice", f"guess-{number}"), **address})
        elsewhere = {"X-Forwarded-For": "2001:db8:0:2::1"}
        alice = await ping(server, headers={**basic("alice", "password1234"), **elsewhere})

    assert alice.status_code == 200
    assert asked_of_redmine(server) == MOST + 1


async def test_a_program_with_an_old_key_locks_nobody_out(sandbox: Target) -> None:
    """One wrong key that comes again and again is one guess; its neighbours are let in."""
    assert sandbox.sandbox is not None
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        for _ in range(26):
            old = await ping(server, headers={"X-Redmine-API-Key": "0" * 40})
        key = sandbox.sandbox.api_key("alice")
        neighbour = await ping(server, headers={"X-Redmine-API-Key": key})

    assert (old.status_code, neighbour.status_code) == (401, 200)


async def test_keys_cannot_be_tried_out_at_the_form(sandbox: Target, tmp_path: Path) -> None:
    """The page for the key counts as the header does, and with it, over all replicas."""
    ways = ["key-login", "header"]
    async with (
        replicas(sandbox, tmp_path, mcp_sign_in=ways, **WITHOUT_OAUTH) as servers,
        Browser(REDIRECT_URI) as guesser,
    ):
        await open_key_page(servers[0], guesser, pkce()[1])
        page = httpx.URL(guesser.url)
        for number in range(13):
            for server in servers:
                form = page.copy_with(port=httpx.URL(server.url).port)
                key = f"{number:039d}{servers.index(server)}"
                answer = await guesser._http.post(form, data={"api_key": key})
        header = await ping(server, headers={"X-Redmine-API-Key": "1" * 40})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many wrong keys" in answer.text
    assert header.status_code == 429
    assert asked_of_redmine(servers[0]) <= MOST + 2
