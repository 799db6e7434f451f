"""Counts that replicas share, at next to no cost: most of a count is kept here.

A replica counts by itself and adds its share to the store's counter a twentieth of the limit at a
time. So the store is asked twenty times in a minute for somebody at the limit, however large that
is, never for somebody beyond it, and hardly ever for anybody else; and N replicas let at most N
twentieths too many through. While the store is away each replica counts for itself.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from redmine_mcp_core.storage import StoreError, TokenStore

WINDOW = 60.0
"""Seconds that all limits are for."""
SHARES = 20
STORE_SECONDS = 1.0
"""How long a request waits for the store to count it."""
AWAY_SECONDS = 10.0
"""How long the store is left alone after it failed."""
MAX_NAMES = 20_000
"""How many are counted at a time; of more than that, those who come most seldom are forgotten."""


@dataclass(slots=True)
class _Window:
    name: str
    ends: float
    total: int = 0
    """What all replicas counted, as the store last told."""
    own: int = 0
    """What was counted here since then."""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Excess:
    """Something happened too often."""

    seconds: float
    """Until it may happen again."""
    first: bool
    """Whether this is the first time in this window."""


class SharedCounts:
    """How often each of many things happened in its present minute."""

    def __init__(self, store: TokenStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self.clock = clock
        self._windows: LRUCache[str, _Window] = LRUCache(MAX_NAMES)
        self._away_until = 0.0

    async def add(self, name: str, limit: int) -> Excess | None:
        """Count one; None if it is within the limit. What is refused is not counted."""
        now = self.clock()
        window = self._windows.get(name)
        if window is None or now >= window.ends:
            window = self._windows[name] = _window(name, now)
        if window.total + window.own < limit:
            window.own += 1
            if window.own * SHARES < limit or now < self._away_until:
                return None
            await self._share(window, now)
            if window.total + window.own <= limit:
                return None
        first, window.told = not window.told, True
        return Excess(window.ends - now, first)

    def excess(self, name: str, limit: int) -> Excess | None:
        """Whether a name is at its limit, as far as is known here. Counts nothing."""
        now = self.clock()
        window = self._windows.get(name)
        if window is None or now >= window.ends or window.total + window.own < limit:
            return None
        return Excess(window.ends - now, first=False)

    async def _share(self, window: _Window, now: float) -> None:
        share, window.own = window.own, 0
        window.total += share  # for those who come while the store is asked
        try:
            async with asyncio.timeout(STORE_SECONDS):
                total = await self._store.increment(window.name, window=2 * WINDOW, by=share)
        except (StoreError, TimeoutError):
            self._away_until = now + AWAY_SECONDS
        else:
            window.total = max(window.total, total)


def _window(name: str, now: float) -> _Window:
    """The present window of a name: the same on every replica, and another moment for each name,
    so that not everybody comes back at once."""
    offset = zlib.crc32(name.encode()) % int(WINDOW)
    number = int((now + offset) // WINDOW)
    return _Window(f"limit:{name}:{number}", (number + 1) * WINDOW - offset)
