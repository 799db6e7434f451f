"""Waiting for a lock, holding it and noticing its loss: the same for every backend.

A lock runs out by itself, so that a holder who died blocks nobody for long. The price is that a
holder who was merely slow may lose it unnoticed; see ``docs/adr/0008``. Two things help: the
fence, which says of two holders who came later, and ``LockLost``.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, SupportsFloat

from redmine_mcp_core.storage.errors import LockLost, LockTimeout, StoreError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
"""Seconds between two tries: at first about as long as a write takes."""


class Lockable(Protocol):
    """The part of a token store that locks are made of."""

    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """See ``TokenStore``."""

    async def release_lock(self, name: str, owner: str) -> bool:
        """See ``TokenStore``."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock that is held, for some time."""

    fence: int
    """Larger than that of every holder before: who gets work from two can tell who is late."""
    _store: Lockable = field(repr=False)
    _name: str = field(repr=False)
    _owner: str = field(repr=False)
    _ttl: float = field(repr=False)

    async def renew(self) -> None:
        """Start the time anew; raise ``LockLost`` if the lock has run out meanwhile."""
        fence = await self._store.acquire_lock(self._name, self._owner, ttl=self._ttl)
        if fence != self.fence:
            raise LockLost("A lock ran out before the work under it was done.")


@asynccontextmanager
async def hold(store: Lockable, name: str, *, ttl: float, wait: float) -> AsyncGenerator[Lease]:
    """Implement ``TokenStore.lock``."""
    owner = secrets.token_urlsafe(16)
    try:
        fence = await _acquire(store, name, owner, ttl, wait)
        yield Lease(fence, store, name, owner, ttl)
    except BaseException:
        # Also where acquiring failed: an answer that got lost may have been a yes. An error of
        # the work under the lock matters more than one of giving the lock back, which will run
        # out anyway.
        with suppress(StoreError):
            await store.release_lock(name, owner)
        raise
    if not await store.release_lock(name, owner):
        raise LockLost("A lock ran out before the work under it was done.")


async def _acquire(store: Lockable, name: str, owner: str, ttl: float, wait: float) -> int:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + wait
    pause = _FIRST_PAUSE
    while (fence := await store.acquire_lock(name, owner, ttl=ttl)) is None:
        left = give_up - loop.time()
        if left <= 0:
            raise LockTimeout("Another call holds the lock that this one waits for; try again.")
        # Drawn by lot, so that those who wait do not all come back at the same moment.
        await asyncio.sleep(min(left, pause * random.uniform(0.5, 1.5)))  # noqa: S311
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return fence
