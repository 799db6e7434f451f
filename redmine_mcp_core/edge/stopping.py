"""A uvicorn server that ends calmly: not ready first, then deaf, then done, then gone.

uvicorn by itself stops listening at the first signal, so that a load balancer which has not yet
noticed sends its requests to a closed port; and it dies of the signal once it has ended.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from redmine_mcp_core.edge.connections import HEAD_SECONDS, http_options

Handler = Callable[[int, FrameType | None], None]

SETTLE_SECONDS = 0.1
"""For what was sent on connections that were accepted just now to be read."""


class CalmServer(uvicorn.Server):
    """Serves until ``end`` or ``cut`` is called; ``handle`` says which signals call them."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        grace: int = 30,
        on_started: Callable[[], None] = lambda: None,
        on_ending: Callable[[float], None] = lambda _: None,
        **options: Any,
    ) -> None:
        """``grace`` is seconds that requests under way have to end; ``options`` are uvicorn's.

        ``on_ending`` is told how many seconds the server listens on.
        """
        # sse-starlette would cut answers that are under way 0.3 s after SIGTERM.
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=grace,
                **http_options(),
                **options,
            )
        )
        self.was_cut = False
        """Whether it ended before the requests under way did."""
        self.ending = False
        self._on_started = on_started
        self._on_ending = on_ending
        self._deaf_at = float("inf")
        self._handlers: dict[int, Handler] = {}

    def handle(self, name: str, action: Callable[[], None]) -> None:
        """Call ``action`` at this signal while the server runs, where the system has it."""
        if hasattr(signal, name):
            self._handlers[getattr(signal, name)] = lambda *_: action()

    def end(self, drain: float = 0.0) -> None:
        """Be no longer ready; stop listening ``drain`` seconds later, and end what is under way."""
        if not self.ending:
            self.ending = True
            self._on_ending(drain)
            self._deaf_at = time.monotonic() + drain

    def cut(self) -> None:
        """End at once, whatever is under way."""
        self.end()
        self.was_cut = self.should_exit = self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        with _prompt_handshakes(self._tls_options()):
            await super().startup(sockets)
        self._on_started()

    def _tls_options(self) -> dict[str, Any]:
        return {"ssl_handshake_timeout": HEAD_SECONDS} if self.config.ssl else {}

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._go_deaf([each for each in sockets or [] if each.fileno() >= 0])
        await super().shutdown(sockets)
        if self.force_exit:
            # uvicorn would leave the requests and the app to be torn down with the event loop.
            for task in self.server_state.tasks:
                task.cancel()
            await self.lifespan.shutdown()

    async def _go_deaf(self, listeners: Sequence[socket.socket]) -> None:
        """Close the ports, and cut nobody off who has called already.

        The system makes connections before they are accepted; those that wait would be cut by
        closing the port, and a request that nobody has read by closing its connection. Whoever
        called could not tell whether it was done.
        """
        loop = asyncio.get_running_loop()
        try:
            for listener in listeners:
                loop.remove_reader(listener)
        except NotImplementedError:  # Windows, whose loop accepts ahead by itself
            return
        await asyncio.sleep(0)  # those that asyncio accepts at this moment
        waiting = [connection for listener in listeners for connection in _all_waiting(listener)]
        for server in self.servers:
            server.close()
        coming = [
            asyncio.ensure_future(
                loop.connect_accepted_socket(
                    self._protocol, connection, ssl=self.config.ssl, **self._tls_options()
                )
            )
            for connection in waiting
        ]
        await asyncio.sleep(0 if self.force_exit else SETTLE_SECONDS)
        for one in coming:
            one.cancel()  # who has not shaken hands for TLS by now has sent no request
        await asyncio.gather(*coming, return_exceptions=True)

    def _protocol(self) -> asyncio.Protocol:
        """As uvicorn makes one in ``startup``."""
        make: Any = self.config.http_protocol_class
        made: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def on_tick(self, counter: int) -> bool:
        if time.monotonic() >= self._deaf_at:
            self.should_exit = True
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, by) for number, by in self._handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _prompt_handshakes(options: dict[str, Any]) -> Iterator[None]:
    """Have servers that are made within this block listen with these options of asyncio's.

    uvicorn hands none of them on, and asyncio waits for a minute by itself.
    """
    loop: Any = asyncio.get_running_loop()
    before = loop.create_server
    loop.create_server = partial(before, **options)
    try:
        yield
    finally:
        loop.create_server = before


def _all_waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """Accept until nobody waits any more."""
    with suppress(BlockingIOError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            yield connection
