"""When workers that die end the server, and when they are only tried again; who gets a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from redmine_mcp_core.serving import bind
from redmine_mcp_core.workers import Patience, supervisor
from redmine_mcp_core.workers.supervisor import CANNOT_START, FALSE_STARTS, Supervisor
from tests.support.processes import until
from tests.support.servers import Target, settings_for


class Worker:
    """Dies, or serves until it is told to end, as its test wants; no process at all."""

    started: list[Worker]
    serve: Callable[[int], bool]
    """Whether the worker of this number comes as far as to serve."""

    def __init__(self, *_: object, on_serving: Callable[[], None]) -> None:
        self.pid = len(self.started)
        self.signals: list[signal.Signals] = []
        self._ended: asyncio.Future[tuple[int, float]] = asyncio.Future()
        self.has_served = type(self).serve(self.pid)
        self.started.append(self)
        if self.has_served:
            asyncio.get_running_loop().call_soon(on_serving)
        else:
            self._ended.set_result((2, 0.1))

    def die(self, lived: float = 0.1) -> None:
        self._ended.set_result((-9, lived))

    async def ended(self) -> tuple[int, float]:
        return await self._ended

    def send(self, number: signal.Signals) -> None:
        self.signals.append(number)
        if number is signal.SIGTERM and not self._ended.done():
            self._ended.set_result((0, 1.0))


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    """All that were started, one after the other."""
    monkeypatch.setattr(supervisor, "WorkerProcess", Worker)
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(Worker, "started", [], raising=False)
    return Worker.started


@pytest.fixture
def run(sandbox: Target) -> Iterator[Callable[[], asyncio.Task[int]]]:
    """Starts a supervisor of two workers."""
    settings = settings_for(sandbox, 1, mcp_workers=2, token_store_url="sqlite:///tmp/x")

    def start() -> asyncio.Task[int]:
        each = {"": settings}
        self = Supervisor(each, listener, Patience(), on_serving=lambda: None)
        return asyncio.create_task(self.run())

    with bind("127.0.0.1", 0) as listener:
        yield start


def serving(workers: list[Worker]) -> int:
    return sum(worker.has_served for worker in workers)


async def test_a_new_worker_that_cannot_start_ends_no_other(
    workers: list[Worker], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its store may be away: the others serve on what they know, and it is tried again."""
    monkeypatch.setattr(Worker, "serve", lambda number: number < 2 or number > 8, raising=False)
    running = run()
    await until(lambda: serving(workers) == 2)
    workers[0].die()
    await until(lambda: serving(workers) == 3)

    assert not running.done()
    assert signal.SIGTERM not in workers[1].signals
    signal.raise_signal(signal.SIGTERM)
    assert await running == 0


async def test_where_none_serves_false_starts_end_the_server(
    workers: list[Worker], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that had served and died count for none of them."""
    monkeypatch.setattr(Worker, "serve", lambda number: number < 6, raising=False)
    running = run()
    died = 0
    while died < 6:
        await until(lambda: len(workers) > died)  # noqa: B023 - it is waited for here
        workers[died].die(lived=60.0 if died == 5 else 0.1)
        died += 1

    assert await running == CANNOT_START
    assert len(workers) - 6 in range(FALSE_STARTS, 2 * FALSE_STARTS)


async def test_a_worker_that_starts_gets_no_signal_that_it_does_not_know(
    workers: list[Worker], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP and SIGUSR2 would kill it; at the end it is killed, without a file of its memory."""
    monkeypatch.setattr(Worker, "serve", lambda _: True, raising=False)
    running = run()
    await until(lambda: len(workers) == 2)
    workers[1].has_served = False
    for number in (signal.SIGHUP, signal.SIGUSR2):
        signal.raise_signal(number)
    await until(lambda: len(workers[0].signals) == 2)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    await running

    assert workers[1].signals[0] is signal.SIGTERM
