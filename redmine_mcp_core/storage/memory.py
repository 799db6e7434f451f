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
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from redmine_mcp_core.storage.contract import Record, RecordStore, TokenStoreBackend
from redmine_mcp_core.storage.texts import Change, Row, TextStore

_Name = tuple[str, str]
_Entry = tuple[str, float]

_STEP = 1000
"""Entries looked at in one go, some hundred microseconds, when all of them have to be."""


@dataclass(frozen=True, slots=True)
class _Lock:
    owner: str
    fence: int
    deadline: float


class MemoryStore(TextStore):
    """A token store in dictionaries.

    But for the sweep and the count nothing here awaits, so on one event loop every other operation
    is atomic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; ``clock`` tells the seconds that times to live are counted in."""
        self._clock = clock
        self._entries: dict[_Name, _Entry] = {}
        self._locks: dict[str, _Lock] = {}
        self._counters: dict[str, tuple[int, float]] = {}
        self._fences = itertools.count(1)

    async def read(
        self, collection: str, keys: Sequence[str]
    ) -> list[tuple[str | None, float | None]]:
        """Return the live texts and their seconds left."""
        return [self._read((collection, key)) for key in keys]

    async def write(self, rows: Sequence[Row]) -> None:
        """Write over whatever is there."""
        self._entries |= {
            (row.collection, row.key): (row.text, self._deadline(row.ttl)) for row in rows
        }

    async def add(self, row: Row) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        if self._read((row.collection, row.key))[0] is not None:
            return False
        await self.write([row])
        return True

    async def take(self, collection: str, keys: Sequence[str]) -> list[str]:
        """Take entries out; return the live texts that there were."""
        taken = []
        for key in keys:
            text, _ = self._read((collection, key))
            self._entries.pop((collection, key), None)
            taken += [] if text is None else [text]
        return taken

    async def swap(self, changes: Sequence[Change]) -> int:
        """Change texts that are still the old ones."""
        swapped = 0
        for collection, key, old, new in changes:
            if self._read((collection, key))[0] == old:
                self._entries[collection, key] = (new, self._entries[collection, key][1])
                swapped += 1
        return swapped

    async def hold(self, name: str, owner: str, ttl: float) -> int | None:
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

    async def count_up(self, name: str, by: int, window: float) -> int:
        """Add to a counter and return its sum."""
        fresh = (0, self._deadline(window))
        count, deadline = self._counters.get(name, fresh)
        if deadline <= self._clock():
            count, deadline = fresh
        self._counters[name] = (count + by, deadline)
        return count + by

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return all live entries at once."""
        names = list(self._entries) if not cursor else []
        reads = [(name, *self._read(name)) for name in names]
        return [
            Record(*name, json.loads(text), left) for name, text, left in reads if text is not None
        ], ""

    async def count(self, collection: str | None = None) -> int:
        """Return how many entries there are, those that have expired and not gone included."""
        if collection is None:
            return len(self._entries)
        found = 0
        for number, (other, _) in enumerate(list(self._entries), 1):
            if number % _STEP == 0:
                await asyncio.sleep(0)
            found += other == collection
        return found

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

    def _deadline(self, ttl: float | None) -> float:
        return math.inf if ttl is None else self._clock() + ttl

    def _read(self, name: _Name) -> tuple[str | None, float | None]:
        text, deadline = self._entries.get(name, ("", -math.inf))
        left = deadline - self._clock()
        if left <= 0:
            return None, None
        return text, left if left < math.inf else None


@asynccontextmanager
async def _open(_url: str) -> AsyncGenerator[RecordStore]:
    yield MemoryStore()


memory_backend = TokenStoreBackend(name="memory", schemes=("memory",), open=_open)
