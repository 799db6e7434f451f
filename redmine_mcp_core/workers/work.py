"""What a worker process does: serve, until its supervisor says so or is gone."""

from __future__ import annotations

import asyncio
import faulthandler
import multiprocessing
import signal
import socket
import sys
from collections.abc import Mapping
from functools import partial
from multiprocessing.connection import Connection

from redmine_mcp_core.observability.logs import configure_logging, log, log_crashes
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.serving import CUT, server_for
from redmine_mcp_core.settings import Settings, SettingsError
from redmine_mcp_core.several import in_common, open_each
from redmine_mcp_core.workers.heartbeat import Heart

CRASHED, WRONG_SETTINGS = 1, 2
SHOW_STACKS = signal.SIGUSR2
"""Makes a worker, even one that hangs, write down where its threads are: files, lines, functions,
no value. SIGABRT, by which others do so, may leave a core file with every token in memory."""


def work(
    each: Mapping[str, Settings], listener: socket.socket, supervisor: Connection, beat: float
) -> None:
    """Serve, with a sign of life every ``beat`` seconds. It ends with the exit code."""
    faulthandler.register(SHOW_STACKS, all_threads=True)
    settings = in_common(each)
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    log_crashes()
    try:
        code = asyncio.run(_work(each, listener, Heart(supervisor), beat))
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201
        code = WRONG_SETTINGS
    except Exception as error:  # noqa: BLE001 - multiprocessing would print all that it says
        log.critical("crashed", exc_info=error)
        code = CRASHED
    sys.exit(code)


async def _work(
    each: Mapping[str, Settings], listener: socket.socket, heart: Heart, beat: float
) -> int:
    async with heart.beating(beat), open_each(each, Metrics()) as served:
        server = server_for(served, each, on_started=heart.serving)
        server.handle("SIGTERM", partial(server.end, in_common(each).mcp_drain_seconds))
        server.handle("SIGQUIT", server.cut)
        parent = multiprocessing.parent_process()
        if parent is not None:
            loop = asyncio.get_running_loop()

            def orphaned() -> None:
                loop.remove_reader(parent.sentinel)
                server.end()

            loop.add_reader(parent.sentinel, orphaned)
        await server.serve(sockets=[listener])
    return CUT if server.was_cut else 0
