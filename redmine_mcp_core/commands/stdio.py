"""``redmine-mcp stdio``: the server of one person, as a client starts it.

What says hello is imported here, everything else while the client thinks (``mcp/hello.py``).
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any

from redmine_mcp_core.commands.waiting import say_that_it_waits
from redmine_mcp_core.mcp.hello import hello_mcp
from redmine_mcp_core.observability.logs import configure_logging, log_crashes
from redmine_mcp_core.settings import Settings, load_local_settings, own_key

if TYPE_CHECKING:
    from fastmcp import FastMCP


def stdio() -> int:
    """Serve one person over standard input and output, with the API key of REDMINE_API_KEY.

    It ends with exit code 0 when its input ends, and on SIGINT and SIGTERM.
    """
    settings = load_local_settings()
    own_key(settings)
    if settings.mcp_files_folder:
        # Here and not above: it takes time, and few have such a folder.
        from redmine_mcp_core.local import local_files

        local_files(settings)
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    log_crashes()
    say_that_it_waits()
    if not asyncio.run(_serve(settings)):
        # A thread waits for the next line of input, and nothing wakes it: leave it behind.
        os._exit(0)
    return 0


async def _serve(settings: Settings) -> bool:
    """Serve; whether the input came to its end, rather than somebody's patience."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with AsyncExitStack() as stack:

        async def load() -> None:
            await stack.enter_async_context(await asyncio.to_thread(_rest, mcp, settings))

        mcp = hello_mcp(load)
        serving = asyncio.create_task(mcp.run_stdio_async(show_banner=False))
        stopping = asyncio.create_task(told.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            stopping.cancel()
            serving.result()
            return True
    return False


def _rest(mcp: FastMCP[Any], settings: Settings) -> AbstractAsyncContextManager[None]:
    """All that takes time: the plugins and what runs them, to be entered."""
    from redmine_mcp_core.local import furnished
    from redmine_mcp_core.mcp.building import discover_plugins
    from redmine_mcp_core.observability.metrics import Metrics

    return furnished(mcp, settings, discover_plugins(Metrics()))
