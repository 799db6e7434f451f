"""The life of a bridge: it begins with a client, and ends with it, however that one ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.bridge import Bridge
from redmine_mcp_core.connect.errors import SignInError
from redmine_mcp_core.connect.http import open_client
from redmine_mcp_core.connect.options import Options
from redmine_mcp_core.connect.person import Person
from redmine_mcp_core.connect.remote import Remote
from redmine_mcp_core.connect.sign_in import ServiceToken, SignIn
from redmine_mcp_core.connect.stdio import Stdio
from redmine_mcp_core.connect.tools import Tools
from redmine_mcp_core.connect.vault import Vault
from redmine_mcp_core.observability.logs import log

_PARENT_SECONDS = 1.0
_END_SECONDS = 5.0
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


async def run_bridge(options: Options) -> int:
    """Bridge standard input and output to the server until the client is gone.

    It is gone when it closes its end, reads no more, signals, or dies without any of these. The
    exit code is 130 after SIGINT and else 0.
    """
    parent = os.getppid()  # Before anything that takes time: it may vanish meanwhile.
    stdio = Stdio()
    tools = Tools(options.allow_tools, options.ignore_tools)
    with _signals() as signalled:
        async with signed_in_client(options) as http:
            bridge = Bridge(Remote(http, options.url, tools), tools, stdio.write)
            running = asyncio.create_task(bridge.run(aiter(stdio)))
            ends: list[asyncio.Future[Any]] = [
                running,
                signalled,
                asyncio.create_task(stdio.gone.wait()),
                asyncio.create_task(_is_gone(parent)),
            ]
            log.info("bridge ready", url=options.url)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
            await asyncio.wait(ends, timeout=_END_SECONDS)
            if running.done() and not running.cancelled() and (error := running.exception()):
                raise error
    await stdio.flush()
    interrupted = not signalled.cancelled() and signalled.result() == signal.SIGINT
    return 130 if interrupted else 0


@asynccontextmanager
async def signed_in_client(
    options: Options, person: Person | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client for the MCP server, with whichever sign-in the options name."""
    person = person or Person(browser=options.browser)
    own = any(name.lower() == "authorization" for name in options.headers)
    service = None if own else ServiceToken.of(options)
    async with open_client(options) as oauth:
        sign_in = SignIn(options, Vault(options), oauth, person)
        auth = None if own else service or sign_in
        client = open_client(options, auth=auth, headers=options.headers, read_timeout=None)
        try:
            async with client:
                yield client
        finally:
            await sign_in.close()


async def sign_in_first(options: Options) -> None:
    """Sign in now, so that a client finds the sign-in when it starts a bridge.

    Raises:
        ConnectError: it did not work out, or the server could not be asked.
    """
    refusal: dict[str, Any] = {}
    async with signed_in_client(options) as http:
        remote = Remote(http, options.url, Tools())
        opening = {
            "protocolVersion": rpc.NEWEST_HANDSHAKE,
            "clientInfo": {"name": "redmine-mcp connect", "version": "1"},
            "capabilities": {},
        }
        async for reply in remote.post(rpc.request("sign-in", "initialize", opening)):
            refusal = reply.get("error") or refusal
        await remote.close()
        record = await Vault(options).read()
    if record.tokens is None or refusal.get("code") == rpc.CONNECTION_CLOSED:
        raise SignInError(str(refusal.get("message") or f"{options.url} wants no sign-in."))


class _signals:  # noqa: N801 - a context manager
    """The first signal that ends this process, as a future."""

    def __enter__(self) -> asyncio.Future[int]:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[int] = self._loop.create_future()
        for name in _SIGNALS:
            if number := getattr(signal, name, None):
                try:
                    self._loop.add_signal_handler(number, self._note, number)
                except NotImplementedError:  # Windows
                    signal.signal(
                        number, lambda n, _: self._loop.call_soon_threadsafe(self._note, n)
                    )
        return self._future

    def __exit__(self, *_: object) -> None:
        for name in _SIGNALS:
            if number := getattr(signal, name, None):
                with suppress(NotImplementedError):
                    self._loop.remove_signal_handler(number)

    def _note(self, number: int) -> None:
        if not self._future.done():
            self._future.set_result(number)


async def _is_gone(parent: int) -> None:
    """Wait until the process that started this one has ended.

    Its end closes our standard input, unless another process inherited the other end of the pipe.
    """
    if sys.platform == "win32":
        await asyncio.Event().wait()
    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(_PARENT_SECONDS)
    log.info("parent gone")
