"""Work on a whole store while others use it: a new key, another backend, a look at every record.

All of it walks through the store in small batches and can be stopped and run again at any moment.
What was done stays done, and is not done twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from redmine_mcp_core.storage.contract import Record, RecordStore
from redmine_mcp_core.storage.encryption import EncryptedStore
from redmine_mcp_core.storage.sealing import DoesNotOpen

_SLICE = 50
"""Records to encrypt in one go, which takes the event loop a millisecond."""


@dataclass(slots=True)
class Tally:
    """How far it is."""

    seen: int = 0
    changed: int = 0
    """Records that were written."""
    unreadable: int = 0
    """Records that no key opens; they stay as they are."""


async def rotate_keys(store: RecordStore, encrypted: EncryptedStore) -> AsyncGenerator[Tally]:
    """Bring every record of ``store`` under the first key of ``encrypted``, in small batches.

    A record that somebody writes meanwhile is left alone: it is under the first key already, if
    all servers know it as such.
    """
    tally = Tally()
    async for batch in _batches(store):
        for start in range(0, len(batch), _SLICE):
            part = batch[start : start + _SLICE]
            changes: list[tuple[Record, dict[str, Any]]] = []
            for record in part:
                try:
                    value = encrypted.reseal(record)
                except DoesNotOpen:
                    tally.unreadable += 1
                    continue
                if value is not None:
                    changes.append((record, value))
            if changes:
                tally.changed += await store.replace(changes)
            tally.seen += len(part)
            yield tally


async def copy_records(source: RecordStore, target: RecordStore) -> AsyncGenerator[Tally]:
    """Write every record of ``source`` that ``target`` lacks or has otherwise, batch by batch.

    Records are copied as they are: ciphertext under hashed names, for the same keys.
    """
    tally = Tally()
    async for batch in _batches(source):
        news = await _news(batch, target)
        if news:
            await target.load(news)
        tally.seen += len(batch)
        tally.changed += len(news)
        yield tally


async def inspect_records(store: RecordStore, encrypted: EncryptedStore) -> AsyncGenerator[Tally]:
    """Count the records and those that no key opens, batch by batch."""
    tally = Tally()
    async for batch in _batches(store):
        tally.seen += len(batch)
        tally.unreadable += sum(not encrypted.opens(record) for record in batch)
        yield tally


async def _batches(store: RecordStore) -> AsyncGenerator[Sequence[Record]]:
    cursor = None
    while cursor != "":
        batch, cursor = await store.scan(cursor or "")
        yield batch


async def _news(batch: Sequence[Record], target: RecordStore) -> list[Record]:
    by_collection: dict[str, list[Record]] = {}
    for record in batch:
        by_collection.setdefault(record.collection, []).append(record)
    news: list[Record] = []
    for collection, records in by_collection.items():
        there = await target.get_many([record.key for record in records], collection=collection)
        news += [
            record for record, value in zip(records, there, strict=True) if value != record.value
        ]
    return news
