"""HTTP/1.1 connections that may not dawdle.

uvicorn closes a connection that rests between two requests, but waits for ever for one that has
begun a request, or that was opened and never said a word. Some hundreds of those (Slowloris) would
use up all the connections there are.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""From the first byte of a request, or from the connection, to the end of its headers."""


class PromptProtocol(H11Protocol):
    """uvicorn's protocol, with a time limit for the head of each request."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        seen = self.cycle
        super().data_received(data)
        if self.cycle is not seen:
            self._stop()
        elif seen is None or seen.response_complete:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
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


def http_options() -> dict[str, Any]:
    """How uvicorn has to be configured for these limits to hold.

    Only h11 limits the size of a head, and it trims the white space round a header's value, which
    the check of ``Mcp-Name`` relies on. Forwarding headers are read by ``forwarded.py`` alone.
    """
    return {"http": PromptProtocol, "proxy_headers": False, "ws": "none", "server_header": False}
