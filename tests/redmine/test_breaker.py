"""The circuit breaker: a dead Redmine is left alone, and found again by one probe."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from redmine_mcp_core.redmine import (
    Circuit,
    Gateway,
    NotFound,
    RedmineError,
    ServerError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from redmine_mcp_core.redmine.breaker import FAILURES, PAUSE, Breaker
from redmine_mcp_core.redmine.gateway import MAX_TRIES


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> list[Circuit]:
    return []


@pytest.fixture
def breaker(clock: Clock, seen: list[Circuit]) -> Breaker:
    return Breaker(clock=clock, on_change=seen.append)


def fail(breaker: Breaker, error: BaseException, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(type(error)), breaker.attempt():
            raise error


def succeed(breaker: Breaker) -> None:
    with breaker.attempt():
        pass


OUTAGES = [Unreachable(), TimedOut(), TimedOut(sent=True), ServerError(502), ServerError(503)]
ANSWERS = [NotFound(), Unauthorized(), ServerError(500)]


@pytest.mark.parametrize("error", OUTAGES, ids=repr)
def test_failures_on_end_open_it(breaker: Breaker, error: RedmineError) -> None:
    """From then on requests are answered at once, with the time to come back."""
    fail(breaker, error, FAILURES - 1)
    before = breaker.circuit
    fail(breaker, error)

    with pytest.raises(Unreachable) as refused, breaker.attempt():
        raise AssertionError("it was let through")

    assert (before, breaker.circuit) == (Circuit.CLOSED, Circuit.OPEN)
    assert refused.value.retry_after == PAUSE
    assert f"{PAUSE:.0f} seconds" in str(refused.value)


@pytest.mark.parametrize("error", ANSWERS, ids=repr)
def test_a_redmine_that_says_no_is_alive(breaker: Breaker, error: RedmineError) -> None:
    """Whatever it answers: also the 500 by which it fails on one person's request."""
    fail(breaker, error, 3 * FAILURES)

    assert breaker.circuit is Circuit.CLOSED


def test_one_answer_among_failures_starts_the_count_anew(breaker: Breaker) -> None:
    """A Redmine that is only slow for some is not cut off for all."""
    for _ in range(5):
        fail(breaker, TimedOut(), FAILURES - 1)
        succeed(breaker)

    assert breaker.circuit is Circuit.CLOSED


def test_one_probe_closes_it(breaker: Breaker, clock: Clock, seen: list[Circuit]) -> None:
    """After the pause one request passes, all others wait for what it says."""
    fail(breaker, Unreachable(), FAILURES)
    clock.now += PAUSE
    with breaker.attempt(), pytest.raises(Unreachable), breaker.attempt():
        raise AssertionError("a second one was let through")
    succeed(breaker)

    assert seen == [Circuit.OPEN, Circuit.PROBING, Circuit.CLOSED]


def test_a_probe_that_fails_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    """One is enough then, and the pause begins anew."""
    fail(breaker, Unreachable(), FAILURES)
    clock.now += PAUSE
    fail(breaker, Unreachable())

    assert breaker.circuit is Circuit.OPEN
    with pytest.raises(Unreachable):
        breaker.check()


def test_a_probe_that_nobody_waited_for_is_made_again(breaker: Breaker, clock: Clock) -> None:
    """A client that goes away in the middle does not leave the circuit open for ever."""
    fail(breaker, Unreachable(), FAILURES)
    clock.now += PAUSE
    fail(breaker, asyncio.CancelledError())
    succeed(breaker)

    assert breaker.circuit is Circuit.CLOSED


@pytest.mark.parametrize("circuit", [Circuit.CLOSED, Circuit.OPEN])
def test_a_hurried_time_out_says_nothing(breaker: Breaker, clock: Clock, circuit: Circuit) -> None:
    """A request that had no time left opens nothing, and as a probe it closes nothing."""
    if circuit is Circuit.OPEN:
        fail(breaker, TimedOut(), FAILURES)
        clock.now += PAUSE
    for _ in range(2 * FAILURES):
        with pytest.raises(TimedOut), breaker.attempt(patient=False):
            raise TimedOut

    assert breaker.circuit is circuit


class Dead(httpx.AsyncBaseTransport):
    """Nobody listens there, until ``alive``."""

    def __init__(self) -> None:
        self.asked = 0
        self.alive = False

    async def handle_async_request(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.alive:
            return httpx.Response(200, json={})
        raise httpx.ConnectError("refused")


async def test_a_dead_redmine_is_not_asked_by_every_call(clock: Clock) -> None:
    """A hundred calls make ten requests; then one probe, and everything is as it was."""
    redmine = Dead()
    gateway = Gateway("https://r.example", transport=redmine, backoff=0.001)
    gateway._breaker._clock = clock
    async with gateway:
        for _ in range(100):
            with pytest.raises(Unreachable):
                await gateway.request("GET", "/x.json")
        while_dead, circuit = redmine.asked, gateway.circuit
        redmine.alive = True
        clock.now += PAUSE
        answers = await asyncio.gather(
            *(gateway.request("GET", "/x.json") for _ in range(20)), return_exceptions=True
        )
        await gateway.request("GET", "/x.json")

    assert (while_dead, circuit) == (FAILURES, Circuit.OPEN)
    assert answers.count({}) >= 1
    assert all(isinstance(answer, Unreachable) for answer in answers if answer != {})
    assert gateway.circuit is Circuit.CLOSED


def test_a_single_call_does_not_open_it() -> None:
    """With all its tries it makes fewer failures than that takes."""
    assert 2 * MAX_TRIES < FAILURES
