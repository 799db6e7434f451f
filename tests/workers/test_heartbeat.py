"""The pipe between a worker and its supervisor, in which neither ever waits for the other."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import pytest

from redmine_mcp_core.workers.heartbeat import Ear, Heart, Patience

OFTEN = Patience(every=0.001, looks=3, looks_at_start=20)


@dataclass
class Pair:
    """Both ends."""

    there: Connection
    heart: Heart
    ear: Ear
    served: list[bool]

    @property
    def ear_waits(self) -> bool:
        """Whether a byte in the pipe would wake the supervisor."""
        loop = asyncio.get_running_loop()
        return loop.remove_reader(self.ear._pipe.fileno())


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    here, there = multiprocessing.Pipe(duplex=False)
    served: list[bool] = []
    ear = Ear(here, on_serving=lambda: served.append(True))
    yield Pair(there, Heart(there), ear, served)
    ear.close()
    there.close()


async def is_served(pair: Pair) -> None:
    async with asyncio.timeout(5):
        while not pair.served:  # noqa: ASYNC110 - a pipe has no event to wait for
            await asyncio.sleep(0.001)


async def test_silence_is_counted_in_looks(pair: Pair) -> None:
    """From the last beat on; before the first one there is more patience."""
    assert await pair.ear.silence(OFTEN) == pytest.approx(0.02)

    async with pair.heart.beating(0.001):
        listening = asyncio.create_task(pair.ear.silence(OFTEN))
        await asyncio.wait([listening], timeout=0.1)
        assert not listening.done()
    async with asyncio.timeout(5):
        assert await listening == pytest.approx(0.003)


async def test_a_beat_wakes_nobody_once_the_worker_serves(pair: Pair) -> None:
    """Until then it may; that it serves is heard once, and at once."""
    pair.heart.serving()
    await is_served(pair)
    pair.heart.serving()
    async with pair.heart.beating(0.001):
        await pair.ear.silence(Patience(every=0.001, looks=0, looks_at_start=5))

    assert pair.ear.has_served
    assert not pair.ear_waits


async def test_a_full_pipe_holds_no_worker_up(pair: Pair) -> None:
    """Its supervisor is stopped for days: beats are dropped, and heard again when it goes on."""
    pair.heart.serving()
    await is_served(pair)
    with suppress(BlockingIOError):
        while True:
            os.write(pair.there.fileno(), bytes(4096))
    async with pair.heart.beating(0.001):
        listening = asyncio.create_task(pair.ear.silence(OFTEN))
        await asyncio.wait([listening], timeout=0.1)
        assert not listening.done()
        listening.cancel()


async def test_a_worker_outlives_its_supervisors_end_of_the_pipe() -> None:
    """A supervisor that was killed hears nothing: no error, and the worker ends in its own way."""
    here, there = multiprocessing.Pipe(duplex=False)
    here.close()
    Heart(there).serving()
    there.close()


async def test_a_supervisor_does_not_spin_on_the_end_of_a_dead_worker(pair: Pair) -> None:
    """What has been closed is always ready to be read; so nobody asks again."""
    pair.there.close()
    async with asyncio.timeout(5):
        await pair.ear.silence(OFTEN)

    assert not pair.ear_waits
    assert not pair.served
