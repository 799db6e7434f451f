"""The token store of a process that may forget: tests, stdio, ``TOKEN_STORE_URL=memory:``.

Entries are kept as JSON text, so that what a database would refuse or change (a datetime, a
tuple) is refused or changed here too, and no caller can alter an entry it has been handed.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, SupportsFloat

from redmine_mcp_core.storage.contract import TokenStore, TokenStoreBackend

_Name = tuple[str | None, str]
_Entry = tuple[str, float]


class MemoryStore:
    """A ``TokenStore`` in a dictionary.

    Nothing here awaits, so on one event loop every operation is atomic as it stands.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; ``clock`` tells the seconds that times to live are counted in."""
        self._clock = clock
        self._entries: dict[_Name, _Entry] = {}

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        return self._read((collection, key))[0]

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        return self._read((collection, key))

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        self._entries[collection, key] = (_to_json(value), self._deadline(ttl))

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        return self._take((collection, key)) is not None

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        return [self._read((collection, key))[0] for key in keys]

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        return [self._read((collection, key)) for key in keys]

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
            (collection, key): (_to_json(value), deadline)
            for key, value in zip(keys, values, strict=True)
        }

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        return sum(self._take((collection, key)) is not None for key in keys)

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out."""
        return self._take((collection, key))

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        entry = (_to_json(value), self._deadline(ttl))
        if self._read((collection, key))[0] is not None:
            return False
        self._entries[collection, key] = entry
        return True

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""
        now = self._clock()
        expired = [name for name, (_, deadline) in self._entries.items() if deadline <= now]
        for name in expired:
            del self._entries[name]
        return len(expired)

    async def ping(self) -> None:
        """Return: memory is always there."""

    def _deadline(self, ttl: SupportsFloat | None) -> float:
        if ttl is None:
            return math.inf
        seconds = float(ttl)
        if not 0 < seconds < math.inf:
            raise ValueError("a time to live must be a positive, finite number of seconds")
        return self._clock() + seconds

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


def _to_json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value))


@asynccontextmanager
async def _open(_url: str) -> AsyncGenerator[TokenStore]:
    yield MemoryStore()


memory_backend = TokenStoreBackend(name="memory", schemes=("memory",), open=_open)
