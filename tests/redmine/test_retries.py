"""What is tried again over the network, after what wait, and what never."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest

from redmine_mcp_core.redmine import RateLimited, RedmineError, TimedOut
from redmine_mcp_core.redmine.gateway import MAX_TRIES
from tests.redmine.networks import Outcome, Script, gateway, ok

WRITES = ["POST", "PUT", "DELETE"]
REPEATABLE: list[Outcome] = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("no route"),
    httpx.PoolTimeout("busy"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("closed"),
    httpx.Response(429),
    httpx.Response(502),
    httpx.Response(503),
    httpx.Response(504),
]


@pytest.mark.parametrize("failure", REPEATABLE, ids=repr)
async def test_a_get_is_tried_again(failure: Outcome) -> None:
    """A reading that failed for a moment succeeds, and nobody hears of it."""
    network = Script(failure, ok())

    async with gateway(network) as redmine:
        answer = await redmine.request("GET", "/issues.json")

    assert answer == {"ok": 1}
    assert len(network.seen) == 2


@pytest.mark.parametrize("failure", REPEATABLE, ids=repr)
async def test_a_get_is_given_up_after_some_tries(failure: Outcome) -> None:
    """A Redmine in trouble is not asked for ever."""
    network = Script(failure)

    async with gateway(network) as redmine:
        with pytest.raises(RedmineError) as caught:
            await redmine.request("GET", "/issues.json")

    assert caught.value.retryable
    assert len(network.seen) == MAX_TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 501])
async def test_a_decided_answer_is_not_asked_for_again(status: int) -> None:
    """Where the same question has the same answer, it is put once."""
    network = Script(httpx.Response(status))

    async with gateway(network) as redmine:
        with pytest.raises(RedmineError):
            await redmine.request("GET", "/issues.json")

    assert len(network.seen) == 1


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadError("reset"),
        httpx.WriteError("broken pipe"),
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
    ids=repr,
)
async def test_a_write_that_was_sent_is_never_sent_again(method: str, failure: Outcome) -> None:
    """Whatever comes of it, an issue is created once."""
    network = Script(failure, ok())

    async with gateway(network) as redmine:
        with pytest.raises(RedmineError):
            await redmine.request(method, "/issues.json", json={})

    assert len(network.seen) == 1


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), httpx.ConnectTimeout("no route"), httpx.PoolTimeout("busy")],
    ids=repr,
)
async def test_a_write_that_was_not_sent_is_tried_again(method: str, failure: Outcome) -> None:
    """Where no connection came about, nothing can have been done."""
    network = Script(failure, ok())

    async with gateway(network) as redmine:
        assert await redmine.request(method, "/issues.json", json={}) == {"ok": 1}

    assert len(network.seen) == 2


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.ReadError("reset")], ids=repr)
async def test_a_write_without_an_answer_may_have_been_done(method: str, failure: Outcome) -> None:
    """The error says to look first: it does not claim that nothing happened."""
    async with gateway(Script(failure)) as redmine:
        with pytest.raises(TimedOut, match="may still have done"):
            await redmine.request(method, "/issues.json", json={})


async def test_retry_after_is_honoured() -> None:
    """The wait is the one that the answer names, not ours."""
    network = Script(httpx.Response(429, headers={"Retry-After": "1"}), ok())

    async with gateway(network) as redmine:
        started = time.monotonic()
        await redmine.request("GET", "/issues.json")

    assert time.monotonic() - started >= 1.0


async def test_a_wait_beyond_the_deadline_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that says "in an hour" is told to the caller at once."""
    network = Script(httpx.Response(429, headers={"Retry-After": "3600"}))
    begun: list[float] = []

    async def sleep(seconds: float) -> None:
        begun.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async with gateway(network) as redmine:
        with pytest.raises(RateLimited) as caught:
            await redmine.request("GET", "/issues.json")

    assert begun == []
    assert caught.value.retry_after == 3600.0
    assert len(network.seen) == 1
