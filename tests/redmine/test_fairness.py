"""Turns at Redmine: a flooding caller and an undisturbed one."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import httpx
import pytest

from redmine_mcp_core.redmine import Busy, Circuit, Credential, Gateway, TimedOut
from redmine_mcp_core.redmine.fairness import FairQueue


class Work:
    """Callers that hold their turn until they are let go, and the order in which they got it."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self._turns: list[asyncio.Event] = []

    async def do(self, caller: str, wait: float = 30.0) -> None:
        async with self.queue.turn(caller, timeout=wait):
            self.order.append(caller)
            done = asyncio.Event()
            self._turns.append(done)
            await done.wait()

    def start(self, caller: str, times: int = 1) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.do(caller)) for _ in range(times)]

    async def finish(self, number: int = 1) -> None:
        """Let the oldest ones end, and the next ones begin."""
        for _ in range(number):
            self.end_oldest()
            await settle()

    def end_oldest(self) -> None:
        self._turns.pop(0).set()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_flood_holds_a_newcomer_up_by_one() -> None:
    """Forty-six requests wait before bob's, and at most one of them comes first."""
    work = Work(FairQueue(slots=4, per_caller=4, max_waiting=100))
    tasks = work.start("alice", 50)
    await settle()
    tasks += work.start("bob")
    await settle()
    await work.finish(2)

    assert "bob" in work.order[4:6]
    for task in tasks:
        task.cancel()


async def test_callers_take_turns() -> None:
    """Whoever waits is served one request each, round and round."""
    work = Work(FairQueue(slots=1, per_caller=1, max_waiting=100))
    tasks = [*work.start("alice", 9), *work.start("bob", 2), *work.start("carol", 2)]
    await settle()
    await work.finish(8)

    assert work.order[0] == "alice"
    assert work.order[1:8] == ["alice", "bob", "carol", "alice", "bob", "carol", "alice"]
    for task in tasks:
        task.cancel()


async def test_one_caller_never_has_all_turns() -> None:
    """However many requests a flooding caller makes, a newcomer does not even wait."""
    work = Work(FairQueue(slots=4, per_caller=3, max_waiting=100))
    tasks = [*work.start("alice", 50)]
    await settle()
    tasks += work.start("bob")
    await settle()

    assert work.order == ["alice", "alice", "alice", "bob"]
    for task in tasks:
        task.cancel()


async def test_a_turn_that_becomes_free_is_not_one_too_many() -> None:
    """Whoever has as many as one may have goes on waiting, though nobody else does."""
    work = Work(FairQueue(slots=3, per_caller=2, max_waiting=100))
    tasks = [*work.start("bob"), *work.start("alice", 9)]
    await settle()
    await work.finish()

    assert work.order == ["bob", "alice", "alice"]
    for task in tasks:
        task.cancel()


async def test_too_many_waiting_are_refused_at_once() -> None:
    """With a time to come back; others are not concerned."""
    work = Work(FairQueue(slots=1, per_caller=1, max_waiting=2))
    tasks = work.start("alice", 3)
    await settle()

    with pytest.raises(Busy) as refused:
        await work.do("alice")
    others = work.start("bob")
    await settle()

    assert refused.value.retry_after > 0
    assert "Try again in 5 seconds" in str(refused.value)
    assert not others[0].done()
    for task in tasks + others:
        task.cancel()


async def test_waiting_has_an_end() -> None:
    """Who waited too long is told to come back, and leaves the queue."""
    work = Work(FairQueue(slots=1, per_caller=1))
    tasks = work.start("alice")
    await settle()

    with pytest.raises(Busy):
        await work.do("bob", wait=0.01)
    tasks += work.start("carol")
    await settle()
    await work.finish()

    assert work.order == ["alice", "carol"]
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize("granted", [False, True])
async def test_a_turn_of_somebody_who_left_is_not_lost(granted: bool) -> None:
    """Cancelled while they wait, or at the moment when it becomes their turn."""
    work = Work(FairQueue(slots=1, per_caller=1))
    (first,) = work.start("alice")
    await settle()
    (left,) = work.start("bob")
    await settle()
    if granted:
        work.end_oldest()
        await asyncio.sleep(0)  # the turn is bob's now, but he has not noticed yet
    left.cancel()
    with suppress(asyncio.CancelledError):
        await left
    if not granted:
        await work.finish()
    (last,) = work.start("carol")
    await settle()

    assert first.done()
    assert work.order == ["alice", "carol"]
    last.cancel()


class Slow(httpx.AsyncBaseTransport):
    """A Redmine that answers when it is told to, and notes who asked in which order."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.let_go = asyncio.Semaphore(0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.order.append(request.headers["X-Redmine-API-Key"])
        await self.let_go.acquire()
        return httpx.Response(200, json={})


class SlowFor(httpx.AsyncBaseTransport):
    """A Redmine that never answers one path, and the others at once."""

    asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/slow.json":
            self.asked += 1
            await asyncio.get_running_loop().create_future()
        return httpx.Response(200, json={})


async def test_slow_questions_of_one_user_cut_nobody_off() -> None:
    """Those that waited for their turn until no time was left say nothing of Redmine: they are not
    asked any more, and do not open the circuit for all the others."""
    redmine = SlowFor()
    async with Gateway("https://r.example", transport=redmine, deadline=0.2) as gateway:

        def ask(path: str, owner: str) -> asyncio.Task[object]:
            credential = Credential.api_key(owner, owner=owner)
            return asyncio.create_task(gateway.request("GET", path, credential=credential))

        flood = await asyncio.gather(
            *(ask("/slow.json", "alice") for _ in range(30)), return_exceptions=True
        )
        circuit = gateway.circuit
        await ask("/fast.json", "bob")

    kinds = Counter(type(error) for error in flood)
    assert kinds == {TimedOut: 8, Busy: 22}
    assert redmine.asked == 8
    assert circuit is Circuit.CLOSED


@pytest.mark.parametrize("clients", [1, 5])
async def test_a_flooding_user_and_an_undisturbed_one(clients: int) -> None:
    """A user with forty requests, in one client or five, and one with a single one: that one is
    asked for at once, and of the forty no more than eight are under way."""
    redmine = Slow()
    async with Gateway("https://r.example", transport=redmine, max_connections=10) as gateway:

        def ask(key: str, owner: str) -> asyncio.Task[object]:
            credential = Credential.api_key(key, owner=owner)
            return asyncio.create_task(gateway.request("GET", "/x.json", credential=credential))

        flood = [ask(f"alice{number % clients}", "5") for number in range(40)]
        await settle()
        under_way = len(redmine.order)
        single = ask("bob", "6")
        await settle()
        place = redmine.order.index("bob")
        for _ in range(41):
            redmine.let_go.release()
        await asyncio.gather(single, *flood)

    assert (under_way, place) == (8, 8)
