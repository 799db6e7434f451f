"""A new key in a running server: every record comes under it, in nobody's way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from redmine_mcp_storage_sqlite import plugin

from redmine_mcp_core.storage import (
    EncryptedStore,
    MemoryStore,
    Record,
    RecordStore,
    StoreUnavailable,
    open_store,
    rotating,
    upkeep,
)
from tests.support.logs import said, until_said

NAME_KEY = b"n" * 32
OLD, NEW = b"o" * 32, b"w" * 32
KEYS = [f"key-{number}" for number in range(1000)]
BACKENDS = plugin.register_token_stores()


def encrypted(store: RecordStore, *keys: bytes) -> EncryptedStore:
    return EncryptedStore(store, keys, name_key=NAME_KEY)


async def fill(store: RecordStore) -> None:
    await encrypted(store, OLD).put_many(KEYS, [{"k": key} for key in KEYS], ttl=60)


async def all_under(store: RecordStore, key: bytes) -> bool:
    return None not in await encrypted(store, key).get_many(KEYS)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RecordStore]:
    """A store with sign-ins under an old key."""
    async with open_store(f"sqlite://{tmp_path}/tokens.sqlite3", BACKENDS) as store:
        await fill(store)
        yield store


async def until_done() -> None:
    rotations = [task for task in asyncio.all_tasks() if task.get_name() == "token-store-rotation"]
    async with asyncio.timeout(20):
        await asyncio.wait(rotations)


async def test_a_server_with_a_new_key_brings_all_under_it(
    store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Afterwards the old key can go, and one line says so; there is none where nothing was done."""
    caplog.set_level(logging.INFO)
    async with rotating(store, encrypted(store, NEW, OLD)):
        line = await until_said(caplog, "keys_rotated")
    assert (line["records"], line["changed"], line["unreadable"]) == (1000, 1000, 0)
    assert await all_under(store, NEW)
    assert len(caplog.records) == 1

    caplog.clear()
    caplog.set_level(logging.DEBUG)
    async with rotating(store, encrypted(store, NEW, OLD)):
        await until_done()
    assert caplog.text == ""


async def test_with_one_key_nothing_is_walked_through(store: RecordStore) -> None:
    """The server that was never given a list of keys does no work for it."""
    before = asyncio.all_tasks()
    async with rotating(store, encrypted(store, OLD)):
        assert asyncio.all_tasks() == before


async def test_calls_go_on_meanwhile(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation rests most of the time, and what is written under it is as its writer left it."""
    steps: list[tuple[float, float]] = []
    replace = type(store).replace

    async def timed(self: RecordStore, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        assert len(changes) <= 50
        started = time.perf_counter()
        changed = await replace(self, changes)
        steps.append((started, time.perf_counter()))
        return changed

    monkeypatch.setattr(type(store), "replace", timed)
    servers = encrypted(store, NEW, OLD)
    expected: dict[str, object] = {key: {"k": key} for key in KEYS}
    async with rotating(store, servers):
        for number, key in enumerate(KEYS):
            if number % 2:
                await servers.put(key, {"new": number}, ttl=60)
                expected[key] = {"new": number}
            elif number % 10 == 0:
                expected[key] = None
                assert await servers.pop(key) == {"k": key}
        await until_done()
    values = await servers.get_many(KEYS)

    assert dict(zip(KEYS, values, strict=True)) == expected
    worked = sum(ended - started for started, ended in steps)
    assert worked < 0.3 * (steps[-1][1] - steps[0][0])


async def test_of_several_replicas_one_works_at_a_time(
    store: RecordStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others ask again later, because they may have written under the old key until then."""
    monkeypatch.setattr(upkeep, "RETRY_SECONDS", 0.01)
    caplog.set_level(logging.DEBUG)
    servers = encrypted(store, NEW, OLD)
    async with servers.lock(upkeep.ROTATION_LOCK, ttl=60), rotating(store, servers):
        await until_said(caplog, "keys_rotate_elsewhere")
        assert not await all_under(store, NEW)
    async with rotating(store, servers), rotating(store, servers):
        await until_said(caplog, "keys_rotated")
    assert await all_under(store, NEW)


async def test_an_outage_delays_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away in the middle is walked through again; a server starts all the same."""
    monkeypatch.setattr(upkeep, "RETRY_SECONDS", 0.01)
    caplog.set_level(logging.INFO)

    class Failing(MemoryStore):
        failures = 3

        async def swap(self, changes: Any) -> int:
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("away")
            return await super().swap(changes)

    store = Failing()
    await fill(store)
    async with rotating(store, encrypted(store, NEW, OLD)):
        await until_said(caplog, "keys_rotated")
    assert await all_under(store, NEW)
    assert [line["problem"] for line in said(caplog, "keys_not_rotated")] == ["away"] * 3


async def test_a_server_that_stops_leaves_the_rest_for_the_next_one(
    store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Each record is under one key or the other at any moment, and no lock stays behind."""
    caplog.set_level(logging.INFO)
    servers = encrypted(store, NEW, OLD)
    async with rotating(store, servers), asyncio.timeout(20):
        while await encrypted(store, NEW).get(KEYS[0]) is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert await all_under(store, NEW) is False
    assert None not in await servers.get_many(KEYS)
    async with rotating(store, servers):
        await until_said(caplog, "keys_rotated")
    assert await all_under(store, NEW)
