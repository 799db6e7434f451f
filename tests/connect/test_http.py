"""What a network does to requests: busy servers, broken connections, redirects, proxies, TLS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx2
import pytest
from starlette.responses import JSONResponse, RedirectResponse

from redmine_mcp_core.connect.http import ATTEMPTS, seconds_to_wait
from tests.connect.bridges import Home
from tests.connect.certificates import certificate, serving_tls
from tests.connect.people import Clicking, connected
from tests.connect.theirs import Seen, Theirs, running_theirs

BUSY = [429, 502, 503, 504]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def calls(name: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.method == "tools/call" and seen.rpc["params"]["name"] == name


def busy(status: int) -> JSONResponse:
    return JSONResponse({}, status_code=status, headers={"Retry-After": "0"})


@pytest.mark.parametrize("status", BUSY)
async def test_what_only_reads_is_asked_again(theirs: Theirs, status: int) -> None:
    """A list, and a call of a tool that the server calls read-only, wait until it has time."""
    theirs.front.once(lambda seen: seen.method == "tools/list", busy(status))
    theirs.front.once(calls("add"), busy(status), times=2)
    async with connected(theirs.url, Clicking()) as connection:
        listed = await connection.ask("tools/list")
        connection.learn(listed["result"])
        assert await connection.add() == 3

    assert theirs.front.count("tools/call") == 3


@pytest.mark.parametrize("status", BUSY)
async def test_what_writes_is_never_asked_again(theirs: Theirs, status: int) -> None:
    """The answer to a write that may have happened is an error."""
    theirs.front.once(calls("write"), busy(status))
    async with connected(theirs.url, Clicking()) as connection:
        connection.learn((await connection.ask("tools/list"))["result"])
        said = await connection.ask("tools/call", name="write", arguments={"text": "x"})

    assert str(status) in said["error"]["message"]
    assert theirs.front.count("tools/call") == 1
    assert theirs.notes == []


async def test_a_tool_that_no_list_has_named_counts_as_one_that_writes(theirs: Theirs) -> None:
    """Nothing is known of it, so nothing is risked."""
    theirs.front.once(calls("add"), busy(503))
    async with connected(theirs.url, Clicking()) as connection:
        assert "503" in await connection.add()


async def test_a_server_that_stays_busy(theirs: Theirs) -> None:
    """After a few attempts the client is told."""
    theirs.front.once(lambda seen: seen.method == "tools/list", busy(503), times=100)
    async with connected(theirs.url, Clicking()) as connection:
        said = await connection.ask("tools/list")

    assert "503" in said["error"]["message"]
    assert theirs.front.count("tools/list") == ATTEMPTS


def test_how_long_to_wait() -> None:
    """``Retry-After`` is seconds or a date; an hour is too long; else it doubles."""

    def asked(value: str) -> httpx2.Response:
        return httpx2.Response(503, headers={"Retry-After": value})

    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)

    assert seconds_to_wait(asked("7"), 1) == 7
    assert seconds_to_wait(asked(soon), 1) == pytest.approx(20, abs=2)
    assert seconds_to_wait(asked("3600"), 1) is None
    assert 0.3 < (seconds_to_wait(None, 1) or 0) < 0.7 < (seconds_to_wait(None, 2) or 0) < 1.3
    assert seconds_to_wait(None, ATTEMPTS) is None


async def test_a_redirect_at_the_same_place(theirs: Theirs) -> None:
    """A slash that is missing is put right; the method and the token stay."""
    theirs.front.once(lambda seen: seen.path == "/old", RedirectResponse("/mcp", 307), times=9)
    old = theirs.url.replace("/mcp", "/old")
    async with connected(old, Clicking(), resource=theirs.url) as connection:
        assert await connection.add() == 3


async def test_a_redirect_to_another_place(theirs: Theirs) -> None:
    """A token never follows a redirect to another server; the person is told the address."""
    async with running_theirs() as other:
        theirs.front.once(calls("add"), RedirectResponse(other.url, 307))
        async with connected(theirs.url, Clicking()) as connection:
            said = await connection.add()

        assert f"connect to {other.url} instead" in said
        assert other.front.seen == []


async def test_a_server_that_restarts(home: Home) -> None:
    """A bridge outlives its server, and its session: it opens a new one without the client."""
    async with AsyncExitStack() as stack:
        first = AsyncExitStack()
        theirs = await first.enter_async_context(running_theirs())
        bridge = await stack.enter_async_context(home.bridge(theirs.url))
        await bridge.open()
        await first.aclose()
        asking = asyncio.create_task(bridge.ask("tools/list", 7))
        theirs = await stack.enter_async_context(running_theirs(again=theirs))

        assert "result" in await asking
        assert theirs.front.count("initialize") == 1
        # A write that the server never looked at may be sent again, too.
        wrote = await bridge.ask("tools/call", 8, name="write", arguments={"text": "x"})

    assert wrote["result"]["content"][0]["text"] == "1 notes"
    assert home.sign_ins == 1


async def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    """--ca-bundle trusts it; without, nothing is sent."""
    bundle, context = certificate(tmp_path)
    received: list[bytes] = []
    async with serving_tls(context, received) as url:
        async with connected(url, Clicking(), ca_bundle=bundle) as connection:
            trusted = await connection.add()
        async with connected(url, Clicking()) as connection:
            refused = await connection.add()

    assert trusted == 3
    assert "cannot be reached" in refused
    assert len(received) == 1


async def test_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is asked for addresses that are not this machine."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server, connected("http://mcp.example/mcp", Clicking()) as connection:
        said = await connection.add()

    assert "403" in said
    assert asked[0].startswith(b"POST http://mcp.example/mcp")


def test_a_date_that_has_passed_means_now() -> None:
    past = format_datetime(datetime.fromtimestamp(time.time() - 60, UTC), usegmt=True)

    assert seconds_to_wait(httpx2.Response(503, headers={"Retry-After": past}), 1) == 0
