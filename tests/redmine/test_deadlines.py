"""However slow Redmine is, a request ends at its deadline."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from redmine_mcp_core.redmine import Gateway, TimedOut
from tests.redmine.networks import Script, gateway, ok


class Clock:
    """The gateway's clock: it goes on when it is told to."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("redmine_mcp_core.redmine.gateway.time", clock)
    return clock


async def test_the_deadline_spans_all_tries(clock: Clock) -> None:
    """The second try may take what is left of the time, and not all of it anew."""

    class Slow(Script):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            clock.now += 20
            return await super().handle_async_request(request)

    network = Slow(httpx.Response(503), ok())

    async with gateway(network, deadline=60.0) as redmine:
        await redmine.request("GET", "/issues.json")

    assert [request.extensions["timeout"]["read"] for request in network.seen] == [60.0, 40.0]


@pytest.mark.usefixtures("clock")
async def test_a_request_may_have_a_deadline_of_its_own() -> None:
    """A readiness probe does not wait as long as a tool."""
    network = Script(ok())

    async with gateway(network) as redmine:
        await redmine.request("GET", "/oauth/token/info", deadline=0.5)

    assert network.seen[0].extensions["timeout"]["read"] == 0.5


async def test_an_answer_that_never_ends_is_cut_at_the_deadline(listen: Any) -> None:
    """A byte now and then does not keep a caller waiting beyond the deadline."""

    taken = 0

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with Gateway(await listen(drip), deadline=1.0, backoff=0.001) as redmine:
        with pytest.raises(TimedOut):
            await asyncio.wait_for(redmine.request("GET", "/issues.json"), 30)

    assert taken == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_answer_is_a_time_out(listen: Any, method: str) -> None:
    """A Redmine that takes the question and says nothing is given up at the deadline, once."""
    taken = 0

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        await reader.read()

    async with Gateway(await listen(silent), deadline=1.0, backoff=0.001) as redmine:
        with pytest.raises(TimedOut):
            await redmine.request(method, "/issues.json")

    assert taken == 1
