"""Attacks by a client ID that is an address: what it makes the server look up and fetch."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import name_lookups
from tests.auth.test_metadata_documents import CLIENT_ID, Site, status
from tests.auth.test_metadata_documents import site as site  # a fixture
from tests.auth.test_session_life import proxy_of
from tests.support.servers import Running
from tests.support.sign_in import (
    Tokens,
    authorization_url,
    authorize,
    pkce,
    redeem,
    refresh,
    sign_in,
    tokens_from,
)
from tests.support.signed_in import ping

HTML = {"Accept": "text/html"}


@dataclass
class Names:
    """The system's look-up of names, where those below ``slow.example`` take for ever."""

    loop: asyncio.AbstractEventLoop
    asked: list[tuple[str, Any]] = field(default_factory=list)
    came: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    released: threading.Event = field(default_factory=threading.Event)
    known: dict[str, str] = field(default_factory=dict)
    """Addresses of names that the system does not know."""

    def look_up(self, real: Any, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if not name.endswith(".example"):
            return real(host, port, *args, **options)
        self.asked.append((name, port))
        self.loop.call_soon_threadsafe(self.came.put_nowait, name)
        if name.endswith(".slow.example"):
            self.released.wait(10)
        if name in self.known:
            return real(self.known[name], port, *args, **options)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Names]:
    names, real = Names(asyncio.get_running_loop()), socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **o: names.look_up(real, *a, **o))
    yield names
    names.released.set()


def link(server: Running, number: int) -> str:
    return authorization_url(server.url, f"https://n{number}.slow.example/x", pkce()[1])


async def test_slow_names_hold_nobody_else_up(server: Running, names: Names) -> None:
    """Those whose names take for ever to look up take none of the threads in which Redmine and the
    store are looked up: sign-ins and calls go on."""
    async with httpx.AsyncClient(timeout=30) as http:
        waiting = asyncio.gather(*(http.get(link(server, number)) for number in range(40)))
        try:
            async with asyncio.timeout(4):
                for _ in range(40):
                    await names.came.get()
                await asyncio.to_thread(socket.getaddrinfo, "127.0.0.1", 80)
                tokens = await sign_in(server.url)
                assert (await ping(server, tokens.access)).status_code == 200
        finally:
            names.released.set()
            answers = await waiting

    assert {answer.status_code for answer in answers} == {400}


async def test_nobody_waits_for_a_slow_name_for_long(
    server: Running, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose name is not found in time is asked to try again; its thread is still counted."""
    monkeypatch.setattr(name_lookups, "SECONDS", 0.01)
    free = threading.BoundedSemaphore(1)
    monkeypatch.setattr(name_lookups, "_free", free)
    async with httpx.AsyncClient() as http:
        answer = await http.get(link(server, 1))

    assert answer.status_code == 503
    assert not names.released.is_set()
    assert not free.acquire(blocking=False)
    names.released.set()
    assert await asyncio.to_thread(free.acquire, timeout=5)
    free.release()


async def test_of_too_many_names_none_is_looked_up(
    server: Running, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only so many look-ups are under way. Who comes then is asked to try again, a person by a page
    of ours, and nobody's client is called unknown; afterwards it goes on as before."""
    monkeypatch.setattr(name_lookups, "_free", threading.BoundedSemaphore(2))
    async with httpx.AsyncClient(timeout=30) as http:
        waiting = asyncio.gather(*(http.get(link(server, number)) for number in range(2)))
        for _ in range(2):
            await names.came.get()
        person = await http.get(link(server, 3), headers=HTML)
        program = await http.post(
            f"{server.url}/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": "x",
                "client_id": "https://n3.slow.example/x",
            },
        )
        names.released.set()
        await waiting
        after = await http.get(link(server, 4), headers=HTML)

    assert (person.status_code, program.status_code) == (503, 503)
    assert "cannot ask the site" in person.text
    assert int(person.headers["retry-after"]) == int(program.headers["retry-after"]) > 0
    assert after.status_code == 400
    assert [name for name, _ in names.asked] == [f"n{n}.slow.example" for n in (0, 1, 4)]


async def test_documents_are_fetched_from_the_usual_port_only(
    server: Running, names: Names
) -> None:
    """So that the server tries out no ports of others."""
    for client_id in ("https://client.example:22/x", "https://client.example:8443/x"):
        assert await proxy_of(server).registered_client(client_id) is None
    assert names.asked == []
    await proxy_of(server).registered_client("https://client.example:443/x")
    assert names.asked == [("client.example", 443)]


async def test_keys_are_fetched_from_the_usual_port_only(
    server: Running, names: Names, site: Site
) -> None:
    """A document names where its keys are; that is no way to other ports or into our network."""
    names.known = {"keys.example": "93.184.216.34", "inside.example": "10.1.2.3"}
    site.headers["Cache-Control"] = "no-store"
    verdicts = {
        "https://keys.example/jwks": 302,
        "https://keys.example:22/jwks": 400,
        "https://inside.example/jwks": 400,
    }
    answers = {}
    for address in verdicts:
        site.document["jwks_uri"] = address
        answers[address] = await status(server)

    assert answers == verdicts
    assert {port for _, port in names.asked} == {443}


AWAY: list[dict[str, Any]] = [{"cause": httpx.ConnectError("refused")}, {"status": 503}]


@pytest.mark.parametrize("how", AWAY, ids=["unreachable", "503"])
async def test_a_site_that_is_away_signs_nobody_out(
    server: Running, site: Site, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who takes the site of a client down cannot make us call it unknown, at which clients throw
    their sign-ins away: what the document said holds for a day. Nobody else becomes a client."""
    site.headers["Cache-Control"] = "max-age=0"
    tokens = await sign_in_with_document(server)
    site.fails = how
    refreshed = await refresh(server.url, tokens)
    other = await status(server, "https://client.example/other.json")
    with monkeypatch.context() as clock:
        now = time.time() + 86_401
        clock.setattr(time, "time", lambda: now)
        a_day_later = await status(server)

    assert refreshed.status_code == 200
    assert (other, a_day_later) == (503, 503)


async def test_a_client_that_was_withdrawn_is_unknown(server: Running, site: Site) -> None:
    """The site is there and has no such document any more."""
    site.headers["Cache-Control"] = "max-age=0"
    tokens = await sign_in_with_document(server)
    site.fails = {"status": 404}

    assert (await refresh(server.url, tokens)).status_code == 401
    assert await status(server) == 400


async def sign_in_with_document(server: Running) -> Tokens:
    verifier, challenge = pkce()
    arrived = await authorize(server.url, CLIENT_ID, "bob", "password1234", challenge=challenge)
    answer = await redeem(server.url, CLIENT_ID, arrived.params["code"], verifier)
    return tokens_from(answer, CLIENT_ID)
