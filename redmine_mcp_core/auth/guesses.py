"""Wrong keys and passwords, counted: Redmine sees our address and not theirs, and so cannot tell a
guesser from everybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from starlette.authentication import AuthenticationError
from starlette.requests import HTTPConnection

from redmine_mcp_core.edge.counting import SharedCounts
from redmine_mcp_core.edge.networks import holder_of
from redmine_mcp_core.storage import TokenStore

MOST = 20
"""Wrong ones a minute from one address for one login, over all replicas; then none is asked about
until the minute is over."""
MOST_OF_ALL = 100
"""As many for all logins together: one password is tried with many logins, too."""
AT_ONCE = 5
"""So many of an address are asked about at the same time: else many at once would be a way round
the count."""

Found = TypeVar("Found")


class TooManyGuesses(AuthenticationError):
    """Nobody was asked. An ``AuthenticationError`` since it is no refusal: it may be right."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many guesses")
        self.seconds = seconds
        """Until the next one is asked about."""


class Guesses:
    """Counts them by where they come from and whose they are said to be."""

    def __init__(self, store: TokenStore) -> None:
        self._counts = SharedCounts(store)
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def counted(
        self,
        conn: HTTPConnection,
        login: str,
        ask: Callable[[], Awaitable[Found | None]],
    ) -> Found | None:
        """What ``ask`` finds; None is a wrong one, and is counted. ``login`` is empty for a key,
        which names nobody.

        Raises ``TooManyGuesses`` instead of asking, and whatever ``ask`` does, which is no guess.
        """
        address = f"guesses:{holder_of(conn.client.host if conn.client else '')}"
        bounds = {address: MOST_OF_ALL, f"{address} {login}": MOST}
        turn = self._turns.setdefault(address, asyncio.Semaphore(AT_ONCE))
        async with turn:
            for name, most in bounds.items():
                if excess := self._counts.excess(name, most):
                    raise TooManyGuesses(excess.seconds)
            found = await ask()
            if found is None:
                for name, most in bounds.items():
                    await self._counts.add(name, most)
        return found
