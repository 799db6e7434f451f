"""The file: created for its owner only, checked to be ours, brought to the newest schema."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlite_utils import Database

from redmine_mcp_core import StoreError
from redmine_mcp_storage_sqlite.errors import is_busy
from redmine_mcp_storage_sqlite.statements import TAKE, UPSERT

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

APPLICATION_ID = 0x524D4350
"""``RMCP`` in the file's header, so that nobody's other database is taken for a token store."""

BUSY_SECONDS = 5.0
"""How long a write waits for another process's write."""

_ASK_AGAIN_SECONDS = (0.0005, 0.002)
"""About as long as another's write takes."""

_READ_BUSY_SECONDS = 0.01
"""How long a read may hold up the event loop before it is handed to the writer's thread."""

CHECKPOINT_PAGES = 200
"""How much of the log is moved into the file at once, by the write that finds so much: 0.8 MB.

With SQLite's 1000 pages, the longest write during a sweep takes several times as long.
"""

_OLDEST_SQLITE = (3, 35)
"""The first one with ``RETURNING``."""


def _create_entries(db: Database) -> None:
    entries = db.table("entries")
    entries.create(
        {"collection": str, "key": str, "value": str, "expires_at": float},
        pk=("collection", "key"),
        not_null={"collection", "key", "value"},
    )
    entries.create_index(["expires_at"])


def _create_locks_and_counters(db: Database) -> None:
    # AUTOINCREMENT: a fence never comes again, not even when its row is gone.
    db.execute(
        "CREATE TABLE locks (fence INTEGER PRIMARY KEY AUTOINCREMENT, "
        "name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, expires_at REAL NOT NULL)"
    )
    db.table("counters").create(
        {"name": str, "count": int, "expires_at": float},
        pk="name",
        not_null={"count", "expires_at"},
    )


_MIGRATIONS: tuple[Callable[[Database], None], ...] = (
    _create_entries,
    _create_locks_and_counters,
)
"""Each brings the schema one version on; ``user_version`` counts those that were applied."""


def open_file(path: Path) -> tuple[Database, Database]:
    """Open the file for writing and for reading, creating it if need be.

    Raises ``StoreError`` for a file that is not ours, ``OSError`` and ``sqlite3.Error`` for one
    that cannot be used.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old: the token store needs 3.35 or newer."
        )
    _create_for_owner_only(path)
    writer = _connect(path, BUSY_SECONDS)
    try:
        _claim(writer, path)
        writer.execute("PRAGMA busy_timeout = 0")  # from here on, see ``patiently``
        return writer, _connect(path, _READ_BUSY_SECONDS)
    except BaseException:
        writer.close()
        raise


def touch(db: Database) -> None:
    """Write as much as a sign-in takes, and leave nothing of it: a full disk is to be noticed."""
    with transaction(db) as conn:
        conn.execute(UPSERT, ("", "", " " * 4096, 0))
        conn.execute(TAKE, ("", "")).fetchall()


def patiently(job: Callable[[], _T]) -> _T:
    """Do something that another process may be in the way of; not on the event loop.

    SQLite would wait, too, but in growing intervals: who comes off badly five times while others
    write waits for 50 ms, and at the next time for 25 ms more.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return job()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(*_ASK_AGAIN_SECONDS))  # noqa: S311


@contextmanager
def transaction(db: Database, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
    """Run several statements as one; take the write lock first, to wait for it only once.

    What is not ``durable`` outlives the process but perhaps not the machine: its commit does not
    wait for the disk.
    """

    def begin() -> None:
        db.conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        db.conn.execute("BEGIN IMMEDIATE")

    patiently(begin)
    try:
        yield db.conn
        db.conn.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


def _create_for_owner_only(path: Path) -> None:
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
    try:
        # SQLite gives its -wal and -shm files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        # Left closed: closing a second descriptor would drop the locks SQLite holds on the file.
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            _log.warning(
                "store_file_open_to_others", extra={"path": str(path), "mode": f"{mode:o}"}
            )


def _connect(path: Path, busy_seconds: float) -> Database:
    conn = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    try:
        # FULL: what was acknowledged is on the disk, not only in the kernel's memory. A refresh
        # token that is lost in a power cut is a user who has to sign in again. Locks and counters
        # are another matter: with the machine, everybody whom they concern is gone.
        conn.execute("PRAGMA synchronous = FULL")
        conn.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # No plugins of sqlite-utils: whatever else is installed has no business with tokens.
        return Database(conn, recursive_triggers=False, execute_plugins=False)
    except BaseException:
        conn.close()
        raise


def _claim(db: Database, path: Path) -> None:
    _check(db, path)
    patiently(lambda: db.execute("PRAGMA journal_mode = WAL"))
    with transaction(db) as conn:
        # Once more under the lock: another process may have been faster.
        version = _check(db, path)
        for migrate in _MIGRATIONS[version:]:
            migrate(db)
        conn.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _check(db: Database, path: Path) -> int:
    """Return the schema's version, or refuse a file that is not ours to write."""
    # In this order: whoever creates the tables sets the id in the same transaction.
    tables = db.table_names()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if tables and application != APPLICATION_ID:
        raise StoreError(
            f"{path} is the database of another application; name another file in TOKEN_STORE_URL."
        )
    if version > len(_MIGRATIONS):
        raise StoreError(
            f"The token store {path} was written by a newer version (schema {version}, this one "
            f"knows {len(_MIGRATIONS)}); upgrade redmine-mcp-storage-sqlite."
        )
    return int(version)
