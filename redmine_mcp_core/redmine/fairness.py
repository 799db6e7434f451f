"""Whose turn it is: many callers, one Redmine, and nobody starves the others."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redmine_mcp_core.redmine.errors import Busy

MAX_WAITING = 200
"""How many requests of one caller may wait; one more is refused at once."""
BUSY_SECONDS = 5.0
"""How long a caller who was refused is asked to wait."""

_Turn = asyncio.Future[None]


class FairQueue:
    """Gives out ``slots`` turns at a time, at most ``per_caller`` of them to one caller.

    Callers who wait are served one request each, round and round: somebody with a thousand
    requests in the queue holds up a newcomer by one of them at most.
    """

    def __init__(self, slots: int, per_caller: int, *, max_waiting: int = MAX_WAITING) -> None:
        self._free = slots
        self._per_caller = per_caller
        self._max_waiting = max_waiting
        self._busy: Counter[str] = Counter()
        self._waiting: dict[str, deque[_Turn]] = {}
        """By caller, in the order in which they are served next."""

    @asynccontextmanager
    async def turn(self, caller: str, *, timeout: float) -> AsyncGenerator[None]:  # noqa: ASYNC109
        """Hold a turn within this block, waiting for it for ``timeout`` seconds at most.

        Raises ``Busy`` if too many of this caller's requests wait already, or time is up.
        """
        if self._free and self._busy[caller] < self._per_caller and caller not in self._waiting:
            self._take(caller)
        else:
            await self._wait(caller, timeout)
        try:
            yield
        finally:
            self._give_back(caller)

    async def _wait(self, caller: str, seconds: float) -> None:
        if len(self._waiting.get(caller, ())) >= self._max_waiting:
            raise Busy(BUSY_SECONDS)
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled():
                self._give_back(caller)
            else:
                self._leave(caller, turn)
            if isinstance(error, TimeoutError):
                raise Busy(BUSY_SECONDS) from None
            raise

    def _leave(self, caller: str, turn: _Turn) -> None:
        waiting = self._waiting.get(caller)
        if waiting and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[caller]

    def _take(self, caller: str) -> None:
        self._free -= 1
        self._busy[caller] += 1

    def _give_back(self, caller: str) -> None:
        self._free += 1
        self._busy[caller] -= 1
        if not self._busy[caller]:
            del self._busy[caller]
        while self._free and (following := self._next()) is not None:
            waiting = self._waiting.pop(following)
            turn = waiting.popleft()
            if waiting:
                self._waiting[following] = waiting  # at the end: the others come first
            if not turn.done():
                self._take(following)
                turn.set_result(None)

    def _next(self) -> str | None:
        return next(
            (caller for caller in self._waiting if self._busy[caller] < self._per_caller), None
        )
