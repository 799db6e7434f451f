"""How many sessions there are, counted now and then beside the calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from redmine_mcp_core.storage import (
    EncryptedStore,
    MemoryStore,
    StoreUnavailable,
    counting,
    derive_keys,
    upkeep,
)
from tests.support.logs import said


class Flaky(MemoryStore):
    """A store that can be taken away, and counts who asks in vain."""

    away = False
    asked_in_vain = 0

    async def count(self, collection: str | None = None) -> int:
        if self.away:
            self.asked_in_vain += 1
            raise StoreUnavailable("away")
        return await super().count(collection)

    async def is_away(self, times: int) -> None:
        """Be away until so many have asked."""
        self.away, self.asked_in_vain = True, 0
        async with asyncio.timeout(5):
            while self.asked_in_vain < times:  # noqa: ASYNC110 - a store has no event to wait for
                await asyncio.sleep(0.001)
        self.away = False


class Told:
    """What was told, one after the other."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[int] = asyncio.Queue()

    def __call__(self, count: int) -> None:
        self._queue.put_nowait(count)

    async def next(self) -> int:
        async with asyncio.timeout(5):
            return await self._queue.get()

    async def until(self, wanted: int) -> None:
        while await self.next() != wanted:
            pass

    def forget(self) -> None:
        self._queue = asyncio.Queue()

    @property
    def nothing(self) -> bool:
        return self._queue.empty()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "COUNT_SECONDS", 0.001)
    monkeypatch.setattr(upkeep, "COUNT_SHARE", 1.0)


def sealed(store: MemoryStore, secret: str = "one secret") -> EncryptedStore:
    keys = derive_keys(secret)
    return EncryptedStore(store, [keys.encryption], name_key=keys.names)


@asynccontextmanager
async def counted(store: EncryptedStore) -> AsyncIterator[Told]:
    told = Told()
    async with counting(store, "sessions", told):
        yield told


async def test_one_collection_under_our_keys_is_told_at_once_and_again() -> None:
    """Neither another collection's entries, nor those of another Redmine in the same store."""
    backend = MemoryStore()
    ours, theirs = sealed(backend), sealed(backend, "another secret")
    await ours.put_many(["a", "b"], [{}, {}], collection="sessions")
    await ours.put("c", {}, collection="other")
    await theirs.put("d", {}, collection="sessions")

    async with counted(ours) as told:
        assert await told.next() == 2
        await ours.delete("a", collection="sessions")
        await told.until(1)


async def test_while_the_store_is_away_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The last count stays. Each outage is logged once, however long it is."""
    caplog.set_level(logging.WARNING)
    backend = Flaky()
    async with counted(sealed(backend)) as told:
        for outage in (1, 2):
            await told.next()
            told.forget()
            await backend.is_away(5)
            assert told.nothing
            lines = said(caplog, "store_not_counted")
            assert [line["problem"] for line in lines] == ["away"] * outage


async def test_what_takes_long_is_done_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting takes no more than its share of the time."""
    monkeypatch.setattr(upkeep, "COUNT_SHARE", 0.2)

    class Slow(MemoryStore):
        begun: list[float]
        ended: list[float]

        async def count(self, collection: str | None = None) -> int:
            self.begun.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.02)
            self.ended.append(asyncio.get_running_loop().time())
            return await super().count(collection)

    store = Slow()
    store.begun, store.ended = [], []
    async with counted(sealed(store)) as told:
        for _ in range(3):
            await told.next()

    pauses = [later - before for before, later in zip(store.ended, store.begun[1:], strict=False)]
    assert min(pauses) >= 0.5 * 0.02 / 0.2
