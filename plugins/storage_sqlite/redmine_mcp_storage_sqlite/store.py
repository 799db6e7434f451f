"""The store: reads where the caller is, writes one after the other in a thread of their own.

A read of one entry takes some ten microseconds, less than handing it to a thread would. A write
waits for the disk, so it never happens on the event loop. Each write is one transaction, atomic
across tasks and processes; the operation returns when it is on the disk.
"""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, SupportsFloat, TypeVar

from sqlite_utils import Database

from redmine_mcp_core import Record, RecordStore, StoreError, StoreUnavailable
from redmine_mcp_storage_sqlite.database import open_file, touch, transaction
from redmine_mcp_storage_sqlite.errors import is_busy, speaking
from redmine_mcp_storage_sqlite.statements import (
    COUNT,
    INSERT_IF_ABSENT,
    LOCK,
    PURGE_COUNTERS,
    PURGE_ENTRIES,
    PURGE_LOCKS,
    REPLACE,
    SCAN,
    SELECT,
    TAKE,
    UNLOCK,
    UNLOCK_EXPIRED,
    UPSERT,
)

_T = TypeVar("_T")
_Found = tuple[dict[str, Any] | None, float | None]

_DEFAULT_COLLECTION = "default"

_PURGE_STEP = 200
"""Rows deleted at once: other writes get their turn in between, after some milliseconds."""

_SCAN_STEP = 200
"""Rows read at once, on the event loop."""


class SQLiteStore(RecordStore):
    """A token store in one SQLite file, for any number of processes on one machine."""

    def __init__(
        self, path: Path, writer: Database, reader: Database, thread: ThreadPoolExecutor
    ) -> None:
        """Use ``open`` instead."""
        self._path = path
        self._writer = writer
        self._reader = reader
        self._thread = thread
        self._file = path.stat().st_ino
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> SQLiteStore:
        """Open or create the file; raise ``StoreError`` if that cannot be."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="token-store")

        def start() -> SQLiteStore:
            with speaking(path):
                writer, reader = open_file(path)
            return cls(path, writer, reader, thread)

        try:
            return await asyncio.get_running_loop().run_in_executor(thread, start)
        except OSError as error:
            thread.shutdown(wait=False)
            raise StoreError(
                f"The token store {path} cannot be created: {error.strerror}."
            ) from error
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def close(self) -> None:
        """Finish the writes under way, and close the file."""
        if self._closed:
            return
        self._closed = True
        self._reader.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown(wait=False)

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        value, _ = await self.ttl(key, collection=collection)
        return value

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        (read,) = await self.ttl_many([key], collection=collection)
        return read

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        await self.put_many([key], [value], collection=collection, ttl=ttl)

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        return await self.pop(key, collection=collection) is not None

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        return [value for value, _ in await self.ttl_many(keys, collection=collection)]

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        collection = collection or _DEFAULT_COLLECTION

        def read(db: Database) -> list[_Found]:
            return [_live(db.conn.execute(SELECT, (collection, key)).fetchall()) for key in keys]

        return await self._read(read)

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them."""
        collection = collection or _DEFAULT_COLLECTION
        deadline = _deadline(ttl)
        rows = [
            (collection, key, json.dumps(dict(value)), deadline)
            for key, value in zip(keys, values, strict=True)
        ]

        await self._upsert(rows)

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        return len(await self._take(keys, collection))

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out: of several callers in any process, exactly one gets it."""
        taken = await self._take([key], collection)
        return taken[0] if taken else None

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        row = (collection or _DEFAULT_COLLECTION, key, json.dumps(dict(value)), _deadline(ttl))

        def insert() -> bool:
            with transaction(self._writer) as conn:
                return bool(conn.execute(INSERT_IF_ABSENT, (*row, time.time())).fetchall())

        return await self._write(insert)

    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """Take or prolong a lock; None if another owner has it."""
        seconds = _seconds(ttl)

        def acquire() -> int | None:
            with transaction(self._writer, durable=False) as conn:
                now = time.time()
                conn.execute(UNLOCK_EXPIRED, (name, now))
                rows = conn.execute(LOCK, (name, owner, now + seconds)).fetchall()
                return rows[0][0] if rows else None

        return await self._write(acquire)

    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back, if ``owner`` holds it."""

        def release() -> bool:
            with transaction(self._writer, durable=False) as conn:
                return conn.execute(UNLOCK, (name, owner, time.time())).rowcount == 1

        return await self._write(release)

    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        """Add to a counter and return its sum."""
        seconds = _seconds(window)
        if by < 1:
            raise ValueError("a counter only counts up: by must be at least 1")

        def count() -> int:
            with transaction(self._writer, durable=False) as conn:
                now = time.time()
                values = {"name": name, "by": by, "now": now, "deadline": now + seconds}
                ((total,),) = conn.execute(COUNT, values).fetchall()
                return int(total)

        return await self._write(count)

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return the next live entries, in the order in which they were first written."""
        start = int(cursor or 0)
        rows = await self._read(lambda db: db.conn.execute(SCAN, (start, _SCAN_STEP)).fetchall())
        found = [(row[1], row[2], *_live([row[3:]])) for row in rows]
        records = [
            Record(c, key, value, left) for c, key, value, left in found if value is not None
        ]
        return records, str(rows[-1][0]) if len(rows) == _SCAN_STEP else ""

    async def replace(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        """Give records new values where they still hold the old ones, in one transaction."""
        rows = [
            (json.dumps(dict(value)), record.collection, record.key, json.dumps(record.value))
            for record, value in changes
        ]

        def replace() -> int:
            with transaction(self._writer) as conn:
                return sum(conn.execute(REPLACE, row).rowcount for row in rows)

        return await self._write(replace)

    async def load(self, records: Sequence[Record]) -> None:
        """Write records of another store, in one transaction."""
        rows = [
            (record.collection, record.key, json.dumps(record.value), _deadline(record.ttl))
            for record in records
        ]
        await self._upsert(rows)

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""
        before = time.time()
        await self._purge(PURGE_LOCKS, before)
        await self._purge(PURGE_COUNTERS, before)
        return await self._purge(PURGE_ENTRIES, before)

    async def ping(self) -> None:
        """Return if the store can be read and written, else raise ``StoreUnavailable``."""

        def write() -> None:
            touch(self._writer)
            if not self._path.exists() or self._path.stat().st_ino != self._file:
                raise StoreUnavailable(
                    f"The token store {self._path} was removed or replaced while it was open; "
                    "restart the server."
                )

        await self._write(write)

    async def _upsert(self, rows: Sequence[tuple[str, str, str, float | None]]) -> None:
        def upsert() -> None:
            with transaction(self._writer) as conn:
                conn.executemany(UPSERT, rows)

        await self._write(upsert)

    async def _purge(self, statement: str, before: float) -> int:
        def purge() -> int:
            with transaction(self._writer, durable=False) as conn:
                return conn.execute(statement, (before, _PURGE_STEP)).rowcount

        gone = 0
        while True:
            deleted = await self._write(purge)
            gone += deleted
            if deleted < _PURGE_STEP:
                return gone

    async def _take(self, keys: Sequence[str], collection: str | None) -> list[dict[str, Any]]:
        names = [(collection or _DEFAULT_COLLECTION, key) for key in keys]

        def take() -> list[dict[str, Any]]:
            with transaction(self._writer) as conn:
                taken = [_live(conn.execute(TAKE, name).fetchall()) for name in names]
            return [value for value, _ in taken if value is not None]

        return await self._write(take)

    async def _read(self, read: Callable[[Database], _T]) -> _T:
        try:
            return read(self._reader)
        except sqlite3.Error as error:
            if not is_busy(error):
                with speaking(self._path):
                    raise
        # Another process has the file to itself for a moment; wait for it off the event loop.
        return await self._write(lambda: read(self._writer))

    async def _write(self, job: Callable[[], _T]) -> _T:
        if self._closed:
            raise StoreUnavailable(f"The token store {self._path} is closed.")

        def run() -> _T:
            with speaking(self._path):
                return job()

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def _live(rows: list[tuple[str, float | None]]) -> _Found:
    """Read what a statement found under one name, unless it has expired."""
    for text, expires_at in rows:
        left = None if expires_at is None else expires_at - time.time()
        if left is None or left > 0:
            return json.loads(text), left
    return None, None


def _deadline(ttl: SupportsFloat | None) -> float | None:
    """Return when it ends, as a wall clock's seconds: other processes read it, after reboots."""
    if ttl is None:
        return None
    return time.time() + _seconds(ttl)


def _seconds(ttl: SupportsFloat) -> float:
    seconds = float(ttl)
    if not 0 < seconds < math.inf:
        raise ValueError("a time to live must be a positive, finite number of seconds")
    return seconds
