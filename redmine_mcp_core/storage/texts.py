"""What backends have in common: they keep JSON as text, and most operations follow from a few.

A backend that inherits ``TextStore`` writes those few. It is handed texts and names, a
collection's never empty, and numbers that were checked; how to keep them is its business.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, SupportsFloat

from redmine_mcp_core.storage.contract import DEFAULT_COLLECTION, Record, RecordStore
from redmine_mcp_core.storage.values import addend, seconds, to_json

Text = str | bytes


class Row(NamedTuple):
    """An entry to write."""

    collection: str
    key: str
    text: str
    ttl: float | None
    """Seconds; None for an entry that stays."""


class Change(NamedTuple):
    """A new text for an entry that still has the old one."""

    collection: str
    key: str
    old: str
    new: str


class TextStore(RecordStore):
    """A backend that keeps texts. Inherit from it and write what is abstract."""

    @abstractmethod
    async def read(
        self, collection: str, keys: Sequence[str]
    ) -> Sequence[tuple[Text | None, float | None]]:
        """Return the live texts and their seconds left, in the order of their keys.

        ``(None, None)`` where there is none; None seconds for an entry that stays.
        """

    @abstractmethod
    async def write(self, rows: Sequence[Row]) -> None:
        """Write over whatever is there; of the rows of one collection all, or none."""

    @abstractmethod
    async def add(self, row: Row) -> bool:
        """Write only where there is no live entry, atomically; return whether it was written."""

    @abstractmethod
    async def take(self, collection: str, keys: Sequence[str]) -> Sequence[Text]:
        """Take entries out, each atomically; return the live texts that there were."""

    @abstractmethod
    async def swap(self, changes: Sequence[Change]) -> int:
        """Change texts, each atomically, and no time to live; return how many were changed."""

    @abstractmethod
    async def hold(self, name: str, owner: str, ttl: float) -> int | None:
        """Take or prolong a lock; see ``acquire_lock``."""

    @abstractmethod
    async def count_up(self, name: str, by: int, window: float) -> int:
        """Add to a counter; see ``increment``."""

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        found = await self.read(collection or DEFAULT_COLLECTION, keys)
        return [(None if text is None else json.loads(text), left) for text, left in found]

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them."""
        pairs = zip(keys, values, strict=True)
        await self.write([_row(collection, key, value, ttl) for key, value in pairs])

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        return len(await self.take(collection or DEFAULT_COLLECTION, keys))

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out: of several callers at once, exactly one gets it."""
        for text in await self.take(collection or DEFAULT_COLLECTION, [key]):
            value: dict[str, Any] = json.loads(text)
            return value
        return None

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        return await self.add(_row(collection, key, value, ttl))

    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """Take or prolong a lock; None if another owner has it."""
        return await self.hold(name, owner, seconds(ttl))

    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        """Add to a counter and return its sum."""
        return await self.count_up(name, addend(by), seconds(window))

    async def replace(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        """Give records new values where they still hold the old ones."""
        return await self.swap(
            [
                Change(record.collection, record.key, to_json(record.value), to_json(value))
                for record, value in changes
            ]
        )

    async def load(self, records: Sequence[Record]) -> None:
        """Write records of another store over whatever is under their names."""
        await self.write([_row(r.collection, r.key, r.value, r.ttl) for r in records])


def _row(
    collection: str | None, key: str, value: Mapping[str, Any], ttl: SupportsFloat | None
) -> Row:
    left = None if ttl is None else seconds(ttl)
    return Row(collection or DEFAULT_COLLECTION, key, to_json(value), left)
