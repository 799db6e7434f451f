"""Every statement of the store: each is atomic, or part of one transaction with its neighbours."""

from __future__ import annotations

SELECT = "SELECT value, expires_at FROM entries WHERE collection = ? AND key = ?"
UPSERT = """
    INSERT INTO entries (collection, key, value, expires_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (collection, key)
    DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
INSERT_IF_ABSENT = f"{UPSERT} WHERE entries.expires_at <= ? RETURNING 1"
TAKE = "DELETE FROM entries WHERE collection = ? AND key = ? RETURNING value, expires_at"
PURGE_ENTRIES = """
    DELETE FROM entries
    WHERE rowid IN (SELECT rowid FROM entries WHERE expires_at <= ? LIMIT ?)
"""
PURGE_LOCKS = """
    DELETE FROM locks
    WHERE rowid IN (SELECT rowid FROM locks WHERE expires_at <= ? LIMIT ?)
"""
PURGE_COUNTERS = """
    DELETE FROM counters
    WHERE rowid IN (SELECT rowid FROM counters WHERE expires_at <= ? LIMIT ?)
"""
SCAN = """
    SELECT rowid, collection, key, value, expires_at FROM entries
    WHERE rowid > ? ORDER BY rowid LIMIT ?
"""
COUNT_ROWS = "SELECT count(*) FROM entries"
COUNT_ROWS_OF = "SELECT count(*) FROM entries WHERE collection = ?"
"""Answered by the index alone; asking for ``expires_at`` as well would read every row."""
REPLACE = """
    UPDATE entries SET value = :new
    WHERE collection = :collection AND key = :key AND value = :old
"""

UNLOCK_EXPIRED = "DELETE FROM locks WHERE name = ? AND expires_at <= ?"
LOCK = """
    INSERT INTO locks (name, owner, expires_at) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at
    WHERE locks.owner = excluded.owner
    RETURNING fence
"""
UNLOCK = "DELETE FROM locks WHERE name = ? AND owner = ? AND expires_at > ?"
COUNT = """
    INSERT INTO counters (name, count, expires_at) VALUES (:name, :by, :deadline)
    ON CONFLICT (name) DO UPDATE SET
        count = iif(expires_at > :now, count + :by, :by),
        expires_at = iif(expires_at > :now, expires_at, :deadline)
    RETURNING count
"""
