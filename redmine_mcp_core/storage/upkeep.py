"""What an open store needs now and then, done beside the calls and never in their way."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from redmine_mcp_core.storage.contract import RecordStore, TokenStore
from redmine_mcp_core.storage.encryption import EncryptedStore
from redmine_mcp_core.storage.errors import LockTimeout, StoreError
from redmine_mcp_core.storage.moving import Tally, rotate_keys

_log = logging.getLogger(__name__)

SWEEP_SECONDS = 300.0
"""How long expired entries may lie about; nobody ever sees one, they only take room."""

ROTATION_LOCK = "rotate-keys"
_LOCK_SECONDS = 60.0

WORK_SHARE = 0.1
"""The part of its time that a rotation works; the rest of it belongs to calls."""

COUNT_SECONDS = 60.0
COUNT_SHARE = 0.002
"""The part of its time that a replica counts, at most: what takes long is done more rarely. For
100,000 sessions, SQLite takes 4 ms, and Redis, which has to be walked through, 0.7 s."""

RETRY_SECONDS = 30.0
"""When to ask again for a lock that another replica holds, or for a store that is away."""


@asynccontextmanager
async def sweeping(store: TokenStore, every: float = SWEEP_SECONDS) -> AsyncGenerator[None]:
    """Sweep expired entries out of the store about every so many seconds."""
    async with _beside(_sweep(store, every), "token-store-sweep"):
        yield


@asynccontextmanager
async def rotating(store: RecordStore, encrypted: EncryptedStore) -> AsyncGenerator[None]:
    """Bring every record of ``store`` under the first key of ``encrypted``, once.

    Each replica does that after its start, one at a time: only then has this one written its last
    record under an older key. Where there is but one key, there is nothing to do.
    """
    if encrypted.has_one_key:
        yield
        return
    async with _beside(_rotate(store, encrypted), "token-store-rotation"):
        yield


@asynccontextmanager
async def counting(
    store: EncryptedStore, collection: str, tell: Callable[[int], None]
) -> AsyncGenerator[None]:
    """Tell how many entries a collection has: at once, and then about once a minute."""
    async with _beside(_count(store, collection, tell), "token-store-count"):
        yield


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None], name: str) -> AsyncGenerator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sweep(store: TokenStore, every: float) -> None:
    while True:
        # Drawn by lot, so that replicas do not all sweep at the same moment.
        await asyncio.sleep(every * random.uniform(0.5, 1.5))  # noqa: S311
        try:
            gone = await store.purge_expired()
        except StoreError as error:
            _log.warning("store_not_swept", extra={"problem": str(error)})
        else:
            _log.debug("store_swept", extra={"records": gone})


async def _count(store: EncryptedStore, collection: str, tell: Callable[[int], None]) -> None:
    loop = asyncio.get_running_loop()
    away = False
    while True:
        started = loop.time()
        try:
            tell(await store.count(collection))
        except StoreError as error:
            if not away:
                _log.warning("store_not_counted", extra={"problem": str(error)})
            away = True
        else:
            away = False
        pause = max(COUNT_SECONDS, (loop.time() - started) / COUNT_SHARE)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311


async def _rotate(store: RecordStore, encrypted: EncryptedStore) -> None:
    while True:
        try:
            tally = await _rotate_once(store, encrypted)
        except LockTimeout:
            _log.debug("keys_rotate_elsewhere")
        except StoreError as error:
            _log.warning("keys_not_rotated", extra={"problem": str(error)})
        else:
            break
        await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311
    if tally.changed or tally.unreadable:
        _log.info(
            "keys_rotated",
            extra={
                "records": tally.seen,
                "changed": tally.changed,
                "unreadable": tally.unreadable,
            },
        )


async def _rotate_once(store: RecordStore, encrypted: EncryptedStore) -> Tally:
    loop = asyncio.get_running_loop()
    tally = Tally()
    async with encrypted.lock(ROTATION_LOCK, ttl=_LOCK_SECONDS, wait=0) as lease:
        started = renewed = loop.time()
        async for tally in rotate_keys(store, encrypted):  # noqa: B007 - the last one counts
            worked = loop.time() - started
            await asyncio.sleep(min(worked * (1 / WORK_SHARE - 1), _LOCK_SECONDS / 4))
            started = loop.time()
            if started - renewed > _LOCK_SECONDS / 4:
                await lease.renew()
                renewed = started
    return tally
