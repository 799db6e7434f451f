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

from redmine_mcp_core import StoreError, StoreUnavailable
from redmine_mcp_storage_sqlite.database import open_file, touch, transaction
from redmine_mcp_storage_sqlite.errors import is_busy, speaking

_T = TypeVar("_T")
_Read = tuple[dict[str, Any] | None, float | None]

_DEFAULT_COLLECTION = "default"

_PURGE_STEP = 500
"""Rows deleted at once: other writes get their turn in between."""

_SELECT = "SELECT value, expires_at FROM entries WHERE collection = ? AND key = ?"
_UPSERT = """
    INSERT INTO entries (collection, key, value, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (collection, key)
    DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_INSERT_IF_ABSENT = f"{_UPSERT} WHERE entries.expires_at <= ? RETURNING 1"
_TAKE = "DELETE FROM entries WHERE collection = ? AND key = ? RETURNING value, expires_at"
_PURGE = """
    DELETE FROM entries
    WHERE rowid IN (SELECT rowid FROM entries WHERE expires_at <= ? LIMIT ?)
"""


class SQLiteStore:
    """A ``TokenStore`` in one SQLite file, for any number of processes on one machine."""

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

        def read(db: Database) -> list[_Read]:
            return [_live(db.conn.execute(_SELECT, (collection, key)).fetchall()) for key in keys]

        try:
            return read(self._reader)
        except sqlite3.Error as error:
            if not is_busy(error):
                with speaking(self._path):
                    raise
        # Another process has the file to itself for a moment; wait for it off the event loop.
        return await self._write(lambda: read(self._writer))

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

        def put() -> None:
            with transaction(self._writer) as conn:
                conn.executemany(_UPSERT, rows)

        await self._write(put)

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
                return bool(conn.execute(_INSERT_IF_ABSENT, (*row, time.time())).fetchall())

        return await self._write(insert)

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""
        before = time.time()
        gone = 0
        while True:
            deleted = await self._write(
                lambda: self._writer.conn.execute(_PURGE, (before, _PURGE_STEP)).rowcount
            )
            gone += deleted
            if deleted < _PURGE_STEP:
                return gone

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

    async def _take(self, keys: Sequence[str], collection: str | None) -> list[dict[str, Any]]:
        names = [(collection or _DEFAULT_COLLECTION, key) for key in keys]

        def take() -> list[dict[str, Any]]:
            with transaction(self._writer) as conn:
                taken = [_live(conn.execute(_TAKE, name).fetchall()) for name in names]
            return [value for value, _ in taken if value is not None]

        return await self._write(take)

    async def _write(self, job: Callable[[], _T]) -> _T:
        if self._closed:
            raise StoreUnavailable(f"The token store {self._path} is closed.")

        def run() -> _T:
            with speaking(self._path):
                return job()

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def _live(rows: list[tuple[str, float | None]]) -> _Read:
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
    seconds = float(ttl)
    if not 0 < seconds < math.inf:
        raise ValueError("a time to live must be a positive, finite number of seconds")
    return time.time() + seconds
