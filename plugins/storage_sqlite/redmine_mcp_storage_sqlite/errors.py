"""SQLite's result codes (https://sqlite.org/rescode.html) as sentences that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redmine_mcp_core import StoreError, StoreUnavailable

_PRIMARY = 0xFF
"""An extended result code holds the primary one in its lowest byte."""

_NOT_WRITABLE = (
    StoreError,
    "cannot be written; the server needs to write the file and the directory it is in",
)
_NOT_A_DATABASE = (
    StoreError,
    "is not a SQLite database, or is damaged; move it away or name another file",
)
_BUSY = (StoreUnavailable, "is locked by another process; trying again may help")

_SENTENCES: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_NOTADB: _NOT_A_DATABASE,
    sqlite3.SQLITE_CORRUPT: _NOT_A_DATABASE,
    sqlite3.SQLITE_READONLY: _NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _NOT_WRITABLE,
    sqlite3.SQLITE_PERM: _NOT_WRITABLE,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: (StoreUnavailable, "cannot grow: the disk is full"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "cannot be read or written: the disk failed"),
}


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether another connection was in the way."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@contextmanager
def speaking(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into the contract's."""
    try:
        yield
    except sqlite3.Error as error:
        kind, sentence = _SENTENCES.get(
            _code(error), (StoreUnavailable, f"failed ({type(error).__name__})")
        )
        raise kind(f"The token store {path} {sentence}.") from error


def _code(error: sqlite3.Error) -> int:
    # Errors that Python raises by itself, such as for a closed connection, carry no code.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
