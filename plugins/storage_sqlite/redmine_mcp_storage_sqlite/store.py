"""The store: reads where the caller is, writes one after the other in a thread of their own.

A read of one entry takes some ten microseconds, less than handing it to a thread would. A write
waits for the disk, so it never happens on the event loop. Each write is one transaction, atomic
across tasks and processes; the operation returns when it is on the disk.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from redmine_mcp_core import Change, Record, Row, StoreError, StoreUnavailable, TextStore
from redmine_mcp_storage_sqlite.database import open_file, patiently, touch, transaction
from redmine_mcp_storage_sqlite.errors import is_busy, speaking
from redmine_mcp_storage_sqlite.statements import (
    COUNT,
    COUNT_ROWS,
    COUNT_ROWS_OF,
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
_Found = tuple[str | None, float | None]

_PURGE_ROWS = 50
"""Rows deleted at once: other writes get their turn in between, after a millisecond or so."""
_PURGE_SECONDS = 0.01
"""A disk on which a step takes longer is given smaller ones."""

_SCAN_STEP = 200
"""Rows read at once, on the event loop."""


class SQLiteStore(TextStore):
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

    async def read(self, collection: str, keys: Sequence[str]) -> list[_Found]:
        """Return the live texts and their seconds left."""

        def read(db: Database) -> list[_Found]:
            return [_live(db.conn.execute(SELECT, (collection, key)).fetchall()) for key in keys]

        return await self._read(read)

    async def write(self, rows: Sequence[Row]) -> None:
        """Write over whatever is there, in one transaction."""
        values = [_values(row) for row in rows]

        def write() -> None:
            with transaction(self._writer) as conn:
                conn.executemany(UPSERT, values)

        await self._write(write)

    async def add(self, row: Row) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        values = _values(row)

        def add() -> bool:
            with transaction(self._writer) as conn:
                return bool(conn.execute(INSERT_IF_ABSENT, (*values, time.time())).fetchall())

        return await self._write(add)

    async def take(self, collection: str, keys: Sequence[str]) -> list[str]:
        """Take entries out: of several callers in any process, exactly one gets each."""

        def take() -> list[str]:
            with transaction(self._writer) as conn:
                taken = [_live(conn.execute(TAKE, (collection, k)).fetchall()) for k in keys]
            return [text for text, _ in taken if text is not None]

        return await self._write(take)

    async def swap(self, changes: Sequence[Change]) -> int:
        """Change texts that are still the old ones, in one transaction."""

        def swap() -> int:
            with transaction(self._writer) as conn:
                return sum(conn.execute(REPLACE, change._asdict()).rowcount for change in changes)

        return await self._write(swap)

    async def hold(self, name: str, owner: str, ttl: float) -> int | None:
        """Take or prolong a lock; None if another owner has it."""

        def hold() -> int | None:
            with transaction(self._writer, durable=False) as conn:
                now = time.time()
                conn.execute(UNLOCK_EXPIRED, (name, now))
                rows = conn.execute(LOCK, (name, owner, now + ttl)).fetchall()
                return rows[0][0] if rows else None

        return await self._write(hold)

    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back, if ``owner`` holds it."""

        def release() -> bool:
            with transaction(self._writer, durable=False) as conn:
                return conn.execute(UNLOCK, (name, owner, time.time())).rowcount == 1

        return await self._write(release)

    async def count_up(self, name: str, by: int, window: float) -> int:
        """Add to a counter and return its sum."""

        def count() -> int:
            with transaction(self._writer, durable=False) as conn:
                now = time.time()
                values = {"name": name, "by": by, "now": now, "deadline": now + window}
                ((total,),) = conn.execute(COUNT, values).fetchall()
                return int(total)

        return await self._write(count)

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return the next live entries, in the order in which they were first written."""
        start = int(cursor or 0)
        rows = await self._read(lambda db: db.conn.execute(SCAN, (start, _SCAN_STEP)).fetchall())
        found = [(row[1], row[2], *_live([row[3:]])) for row in rows]
        records = [
            Record(collection, key, json.loads(text), left)
            for collection, key, text, left in found
            if text is not None
        ]
        return records, str(rows[-1][0]) if len(rows) == _SCAN_STEP else ""

    async def count(self, collection: str | None = None) -> int:
        """Return how many entries there are, those that have expired and not gone included."""
        question = (COUNT_ROWS, ()) if collection is None else (COUNT_ROWS_OF, (collection,))

        def count() -> int:
            ((rows,),) = self._writer.conn.execute(*question).fetchall()
            return int(rows)

        return await self._write(lambda: patiently(count))

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

    async def _purge(self, statement: str, before: float) -> int:
        def purge(rows: int) -> tuple[int, float]:
            started = time.perf_counter()
            with transaction(self._writer, durable=False) as conn:
                gone = conn.execute(statement, (before, rows)).rowcount
            return gone, time.perf_counter() - started

        gone, rows = 0, _PURGE_ROWS
        while True:
            deleted, took = await self._write(partial(purge, rows))
            gone += deleted
            if deleted < rows:
                return gone
            rows = max(1, rows // 2) if took > _PURGE_SECONDS else min(_PURGE_ROWS, rows * 2)

    async def _read(self, read: Callable[[Database], _T]) -> _T:
        try:
            return read(self._reader)
        except sqlite3.Error as error:
            if not is_busy(error):
                with speaking(self._path):
                    raise
        # Another process has the file to itself for a moment; wait for it off the event loop.
        return await self._write(lambda: patiently(lambda: read(self._writer)))

    async def _write(self, job: Callable[[], _T]) -> _T:
        if self._closed:
            raise StoreUnavailable(f"The token store {self._path} is closed.")

        def run() -> _T:
            with speaking(self._path):
                return job()

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def _live(rows: list[tuple[str, float | None]]) -> _Found:
    """Return what a statement found under one name, unless it has expired."""
    for text, expires_at in rows:
        left = None if expires_at is None else expires_at - time.time()
        if left is None or left > 0:
            return text, left
    return None, None


def _values(row: Row) -> tuple[str, str, str, float | None]:
    # When it ends, as a wall clock's seconds: other processes read it, after reboots.
    expires_at = None if row.ttl is None else time.time() + row.ttl
    return row.collection, row.key, row.text, expires_at
