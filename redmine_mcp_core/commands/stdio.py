"""``redmine-mcp stdio``: the server of one person, as a client starts it."""

from __future__ import annotations

import asyncio
import os
import signal

from redmine_mcp_core.local import open_local
from redmine_mcp_core.mcp_server import discover_plugins
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.settings import Settings, load_local_settings


def stdio() -> int:
    """Serve one person over standard input and output, with the API key of REDMINE_API_KEY.

    It ends with exit code 0 when its input ends, and on SIGINT and SIGTERM.
    """
    settings = load_local_settings()
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    if not asyncio.run(_serve(settings)):
        # A thread waits for the next line of input, and nothing wakes it: leave it behind.
        os._exit(0)
    return 0


async def _serve(settings: Settings) -> bool:
    """Serve; whether the input came to its end, rather than somebody's patience."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    metrics = Metrics()
    async with open_local(settings, discover_plugins(metrics)) as mcp:
        serving = asyncio.create_task(mcp.run_stdio_async(show_banner=False))
        stopping = asyncio.create_task(told.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            stopping.cancel()
            serving.result()
            return True
    return False
