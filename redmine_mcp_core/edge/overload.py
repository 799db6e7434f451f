"""How many requests are answered at a time, on how many connections, and for how long."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redmine_mcp_core.edge.answers import refuse
from redmine_mcp_core.edge.connections import CROWDED

RETRY_SECONDS = 2.0
NEVER_REFUSED = frozenset({"/health", "/ready", "/metrics"})
"""What an operator needs most when the server is overloaded, or takes it for dead."""


class Overload:
    """Refuses requests beyond a number at a time with 503, and ends those that take too long."""

    def __init__(self, app: ASGIApp, *, at_once: int, seconds: float) -> None:
        """``seconds`` is for one whole request; after that it is answered with 504, or cut."""
        self._app = app
        self._at_once = at_once
        self._seconds = seconds
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in NEVER_REFUSED:
            await self._app(scope, receive, send)
            return
        crowded = scope.get(CROWDED, False)
        if crowded or self._under_way >= self._at_once:
            message = "The server is busy just now. Try again in a moment."
            answer = refuse(
                scope, 503, "temporarily_unavailable", message, retry_after=RETRY_SECONDS
            )
            if crowded:
                answer.headers["Connection"] = "close"  # it is the connection that is one too many
            await answer(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._within_time(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _within_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            async with asyncio.timeout(self._seconds) as limit:
                await self._app(scope, receive, noting)
        except TimeoutError:
            if not limit.expired():
                raise
            if not begun:
                message = "This took too long, so it was given up. A change may have been made."
                answer = refuse(scope, 504, "timed_out", message)
                await answer(scope, receive, send)
