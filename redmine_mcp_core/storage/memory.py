"""The token store of a process that may forget: tests, stdio, ``TOKEN_STORE_URL=memory:``.

Entries are kept as JSON text, so that what a database would refuse or change (a datetime, a
tuple) is refused or changed here too, and no caller can alter an entry it has been handed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, SupportsFloat

from redmine_mcp_core.storage.contract import (
    DEFAULT_COLLECTION,
    Record,
    RecordStore,
    TokenStoreBackend,
)
from redmine_mcp_core.storage.values import addend, seconds, to_json

_Name = tuple[str, str]
_Entry = tuple[str, float]

_STEP = 1000
"""Entries looked at in one go, some hundred microseconds, when all of them have to be."""


@dataclass(frozen=True, slots=True)
class _Lock:
    owner: str
    fence: int
    deadline: float


class MemoryStore(RecordStore):
    """A token store in dictionaries.

    But for the sweep nothing here awaits, so on one event loop every operation is atomic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; ``clock`` tells the seconds that times to live are counted in."""
        self._clock = clock
        self._entries: dict[_Name, _Entry] = {}
        self._locks: dict[str, _Lock] = {}
        self._counters: dict[str, tuple[int, float]] = {}
        self._fences = itertools.count(1)

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        return self._read(_name(key, collection))[0]

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        return self._read(_name(key, collection))

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        self._entries[_name(key, collection)] = (to_json(value), self._deadline(ttl))

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        return self._take(_name(key, collection)) is not None

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        return [self._read(_name(key, collection))[0] for key in keys]

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        return [self._read(_name(key, collection)) for key in keys]

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them."""
        deadline = self._deadline(ttl)
        self._entries |= {
            _name(key, collection): (to_json(value), deadline)
            for key, value in zip(keys, values, strict=True)
        }

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        return sum(self._take(_name(key, collection)) is not None for key in keys)

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out."""
        return self._take(_name(key, collection))

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        entry = (to_json(value), self._deadline(ttl))
        if self._read(_name(key, collection))[0] is not None:
            return False
        self._entries[_name(key, collection)] = entry
        return True

    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """Take or prolong a lock; None if another owner has it."""
        deadline = self._deadline(ttl)
        held = self._locks.get(name)
        if held is None or held.deadline <= self._clock():
            held = _Lock(owner, next(self._fences), deadline)
        if held.owner != owner:
            return None
        self._locks[name] = replace(held, deadline=deadline)
        return held.fence

    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back, if ``owner`` holds it."""
        held = self._locks.get(name)
        if held is None or held.owner != owner or held.deadline <= self._clock():
            return False
        del self._locks[name]
        return True

    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        """Add to a counter and return its sum."""
        fresh = (0, self._deadline(window))
        count, deadline = self._counters.get(name, fresh)
        if deadline <= self._clock():
            count, deadline = fresh
        count += addend(by)
        self._counters[name] = (count, deadline)
        return count

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return all live entries at once."""
        names = list(self._entries) if not cursor else []
        reads = [(name, *self._read(name)) for name in names]
        return [Record(*name, value, left) for name, value, left in reads if value is not None], ""

    async def replace(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        """Give records new values where they still hold the old ones."""
        texts = [(record, to_json(value)) for record, value in changes]
        replaced = 0
        for record, text in texts:
            name = (record.collection, record.key)
            if self._read(name)[0] == record.value:
                self._entries[name] = (text, self._entries[name][1])
                replaced += 1
        return replaced

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""
        now = self._clock()
        self._locks = {n: lock for n, lock in self._locks.items() if lock.deadline > now}
        self._counters = {n: count for n, count in self._counters.items() if count[1] > now}
        gone = 0
        for number, name in enumerate(list(self._entries), 1):
            if number % _STEP == 0:
                await asyncio.sleep(0)
            entry = self._entries.get(name)
            if entry and entry[1] <= now:
                del self._entries[name]
                gone += 1
        return gone

    async def ping(self) -> None:
        """Return: memory is always there."""

    def _deadline(self, ttl: SupportsFloat | None) -> float:
        if ttl is None:
            return math.inf
        return self._clock() + seconds(ttl)

    def _read(self, name: _Name) -> tuple[dict[str, Any] | None, float | None]:
        text, deadline = self._entries.get(name, ("", -math.inf))
        left = deadline - self._clock()
        if left <= 0:
            return None, None
        return json.loads(text), left if left < math.inf else None

    def _take(self, name: _Name) -> dict[str, Any] | None:
        value, _ = self._read(name)
        self._entries.pop(name, None)
        return value


def _name(key: str, collection: str | None) -> _Name:
    return collection or DEFAULT_COLLECTION, key


@asynccontextmanager
async def _open(_url: str) -> AsyncGenerator[RecordStore]:
    yield MemoryStore()


memory_backend = TokenStoreBackend(name="memory", schemes=("memory",), open=_open)
