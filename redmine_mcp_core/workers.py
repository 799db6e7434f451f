"""Several processes that serve one port, and the one that looks after them.

uvicorn has such a supervisor. This one differs where an operator would feel it: the first worker
starts alone, so that wrong settings are told once and nothing listens before; one that dies comes
back after a pause that grows; workers that cannot start end the server with a code that is not 0;
and a second signal ends all of them at once.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from redmine_mcp_core.greeting import greeting
from redmine_mcp_core.observability.logs import configure_logging, log, log_crashes
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.observability.worker_metrics import METRICS_DIR, worker_ended
from redmine_mcp_core.serving import CUT, bind, metrics_port, server_for
from redmine_mcp_core.settings import Settings, SettingsError
from redmine_mcp_core.several import in_common, open_each

STEADY_SECONDS = 10.0
"""A worker that lived so long was well; what killed it may have been bad luck."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
FALSE_STARTS = 3
"""So many workers on end that never served end the server."""
CANNOT_START = 1
WRONG_SETTINGS = 2
KILL_AFTER = 5.0
"""Seconds that a worker gets beyond the grace period before it is killed."""

_spawning = multiprocessing.get_context("spawn")


async def serve_with_workers(each: Mapping[str, Settings], out: Console) -> int:
    """Serve with ``MCP_WORKERS`` processes until told to stop; the exit code."""
    settings = in_common(each)

    def greet() -> None:
        for line in greeting(each, ()):
            out.print(line, highlight=False, soft_wrap=True)

    with ExitStack() as stack:
        listener = stack.enter_context(bind(settings.mcp_host, settings.mcp_port))
        stack.enter_context(_shared_metrics())
        stack.enter_context(metrics_port(settings, Metrics()))
        return await Supervisor(each, listener, on_serving=greet).run()


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder where all workers leave their metrics, unless the operator named one."""
    if METRICS_DIR in os.environ:
        # What an earlier run left behind would be counted again.
        for left in Path(os.environ[METRICS_DIR]).glob("*.db"):
            left.unlink()
        yield
        return
    with TemporaryDirectory(prefix="redmine-mcp-metrics-") as folder:
        os.environ[METRICS_DIR] = folder
        try:
            yield
        finally:
            del os.environ[METRICS_DIR]


class Supervisor:
    """Keeps so many workers alive. It serves nothing itself."""

    def __init__(
        self,
        each: Mapping[str, Settings],
        listener: socket.socket,
        *,
        on_serving: Callable[[], None],
    ) -> None:
        self._each = each
        self._settings = in_common(each)
        self._listener = listener
        self._on_serving = on_serving
        self._serving = asyncio.Event()
        self._stopping = asyncio.Event()
        self._workers: set[_Worker] = set()
        self._code = 0

    async def run(self) -> int:
        """Until told to stop, or until workers cannot start; the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._told)
        loop.add_signal_handler(signal.SIGTERM, self._told)
        loop.add_signal_handler(signal.SIGHUP, partial(self._tell, signal.SIGHUP))
        async with asyncio.TaskGroup() as group:
            for number in range(self._settings.mcp_workers):
                group.create_task(self._keep_one(number))
        log.info("stopped")
        return self._code

    def _told(self) -> None:
        if self._stopping.is_set():
            self._tell(signal.SIGQUIT)
        else:
            self._stop()

    def _stop(self, code: int = 0) -> None:
        if self._stopping.is_set():
            return
        self._code = code
        self._stopping.set()
        # As long as it is open here, connections would be accepted that nobody serves.
        self._listener.close()
        self._tell(signal.SIGTERM)
        limit = self._settings.mcp_drain_seconds + self._settings.mcp_grace_seconds + KILL_AFTER
        asyncio.get_running_loop().call_later(limit, self._tell, signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.send(number)

    async def _keep_one(self, number: int) -> None:
        if number:
            await self._either(self._serving)
        deaths = 0
        while not self._stopping.is_set():
            worker = _Worker(self._each, self._listener, self._started)
            self._workers.add(worker)
            code, lived = await worker.ended()
            self._workers.discard(worker)
            if self._stopping.is_set():
                # One that was told to stop while it still started dies of the signal.
                if code and (worker.served or code != -signal.SIGTERM):
                    self._code = self._code or CUT
                return
            deaths = 1 if lived >= STEADY_SECONDS else deaths + 1
            if code == WRONG_SETTINGS and not self._serving.is_set():
                self._stop(WRONG_SETTINGS)
            elif not worker.served and deaths >= FALSE_STARTS:
                log.error("workers_cannot_start", code=code)
                self._stop(CANNOT_START)
            else:
                pause = min(FIRST_PAUSE * 2 ** (deaths - 1), LONGEST_PAUSE)
                log.error("worker_died", pid=worker.pid, code=code, again_in=pause)
                await self._either(seconds=pause)

    def _started(self) -> None:
        if not self._serving.is_set():
            self._serving.set()
            self._on_serving()

    async def _either(self, event: asyncio.Event | None = None, seconds: float = 3600.0) -> None:
        """Wait for the event or the end, or until so many seconds have passed."""
        waiting = [asyncio.create_task(e.wait()) for e in (event, self._stopping) if e]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()


class _Worker:
    """One worker process, as its supervisor sees it."""

    def __init__(
        self, each: Mapping[str, Settings], listener: socket.socket, on_served: Callable[[], None]
    ) -> None:
        self._on_served = on_served
        self._begun = time.monotonic()
        self._news, told_here = _spawning.Pipe(duplex=False)
        self._process = _spawning.Process(target=work, args=(each, listener, told_here))
        # Ctrl-C reaches the whole group of processes; the workers wait for their supervisor.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        told_here.close()
        self.pid = self._process.pid or 0
        self.served = False
        """Whether it came as far as to listen."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._news.fileno(), self._hear)
        self._end = loop.create_future()
        loop.add_reader(self._process.sentinel, self._gone)

    def _hear(self) -> None:
        asyncio.get_running_loop().remove_reader(self._news.fileno())
        try:
            self.served = self._news.recv()
        except EOFError:
            return
        log.info("worker_started", pid=self.pid)
        self._on_served()

    def _gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._end.set_result(time.monotonic() - self._begun)

    async def ended(self) -> tuple[int, float]:
        """Wait for its end: the exit code, negative for a signal, and the seconds it lived."""
        lived = await self._end
        self._process.join()
        asyncio.get_running_loop().remove_reader(self._news.fileno())
        self._news.close()
        code = self._process.exitcode or 0
        self._process.close()
        worker_ended(self.pid)
        return code, lived

    def send(self, number: signal.Signals) -> None:
        if not self._end.done():
            os.kill(self.pid, number)


def work(each: Mapping[str, Settings], listener: socket.socket, supervisor: Connection) -> None:
    """What a worker process does: serve, until its supervisor says so or is gone."""
    settings = in_common(each)
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    log_crashes()
    try:
        code = asyncio.run(_work(each, listener, supervisor))
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201
        code = WRONG_SETTINGS
    sys.exit(code)


async def _work(
    each: Mapping[str, Settings], listener: socket.socket, supervisor: Connection
) -> int:
    async with open_each(each, Metrics()) as served:
        server = server_for(served, each, on_started=partial(supervisor.send, True))
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
