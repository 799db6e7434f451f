"""HTTP/1.1 connections that may not dawdle.

uvicorn closes a connection that rests between two requests, but waits for ever for one that has
begun a request, that was opened and never said a word, or that reads none of its answer. Some
hundreds of those (Slowloris) would use up all the connections there are.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""From the first byte of a request, or from the connection, to the end of its headers; for TLS to
shake hands, too."""
UNREAD_SECONDS = 20.0
"""How often somebody is looked after who does not read. Who has read nothing since the look before
is cut off."""

CROWDED = "redmine_mcp.crowded"
"""Set in the scope of a request on one connection too many."""


class PromptProtocol(H11Protocol):
    """uvicorn's protocol, with limits for the head of a request and for an answer left unread."""

    _head_timer: asyncio.TimerHandle | None = None
    _look_timer: asyncio.TimerHandle | None = None
    _unread = 0
    """Bytes that waited for the client at the last look, if it held us up."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # uvicorn would answer in words of its own, probes and all; ``overload.py`` knows better.
        most, self.limit_concurrency = self.limit_concurrency, None
        if most:
            self.app: Any = self._marking(self.app, most)

    def _marking(self, app: Any, most: int) -> ASGIApp:
        async def marked(scope: Scope, receive: Receive, send: Send) -> None:
            if len(self.connections) > most:
                scope[CROWDED] = True
            await app(scope, receive, send)

        return marked

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()
        self._look_timer = self.loop.call_later(UNREAD_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        seen = self.cycle
        super().data_received(data)
        if self.cycle is not seen:
            self._stop()
        elif seen is None or seen.response_complete:
            self._await_head()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        if self._look_timer is not None:
            self._look_timer.cancel()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _look(self) -> None:
        """Cut the connection if nothing was read since the last look.

        While the app waits for the client, or the connection is to be closed, nothing is added to
        what waits; so if it is not less than before, nobody reads.
        """
        unread = self.transport.get_write_buffer_size() + _queued(self.transport)
        waits = self.flow.write_paused or self.transport.is_closing()
        if waits and 0 < self._unread <= unread:
            self.transport.abort()
            return
        self._unread = unread if waits else 0
        self._look_timer = self.loop.call_later(UNREAD_SECONDS, self._look)


def _queued(transport: asyncio.Transport) -> int:
    """Bytes that the system has taken and the client has not acknowledged, where that is told.

    They are megabytes, and nothing more is taken before a good part of them has gone: on a slow
    line much longer than we wait.
    """
    try:
        from fcntl import ioctl
        from termios import TIOCOUTQ

        told = ioctl(transport.get_extra_info("socket").fileno(), TIOCOUTQ, bytes(4))
    except (ImportError, OSError, ValueError):
        return 0
    return int.from_bytes(told, sys.byteorder)


def http_options() -> dict[str, Any]:
    """How uvicorn has to be configured for these limits to hold.

    Only h11 limits the size of a head, and it trims the white space round a header's value, which
    the check of ``Mcp-Name`` relies on. Forwarding headers are read by ``forwarded.py`` alone.
    """
    return {"http": PromptProtocol, "proxy_headers": False, "ws": "none", "server_header": False}
