"""The process that keeps several others serving one port.

uvicorn has such a supervisor. This one differs where an operator would feel it: the first worker
starts alone, so that wrong settings are told once and nothing listens before; one that dies comes
back after a pause that grows, and so does one that hangs; workers that cannot start end the server
with a code that is not 0; and a second signal ends all of them at once.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from rich.console import Console

from redmine_mcp_core.clients.greeting import greeting
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.serving import CUT, bind, metrics_port
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.several import in_common
from redmine_mcp_core.workers.heartbeat import Patience
from redmine_mcp_core.workers.metrics_folder import metrics_folder
from redmine_mcp_core.workers.process import WorkerProcess
from redmine_mcp_core.workers.work import SHOW_STACKS, WRONG_SETTINGS

STEADY_SECONDS = 10.0
"""A worker that lived so long was well; what killed it may have been bad luck."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
FALSE_STARTS = 3
"""So many workers on end that never served end the server, where no other one serves."""
CANNOT_START = 1
KILL_AFTER = 5.0
"""Seconds that a worker gets beyond the grace period before it is killed."""


async def serve_with_workers(
    each: Mapping[str, Settings], out: Console, *, patience: Patience | None = None
) -> int:
    """Serve with ``MCP_WORKERS`` processes until told to stop; the exit code."""
    settings = in_common(each)

    def greet() -> None:
        for line in greeting(each, ()):
            out.print(line, highlight=False, soft_wrap=True)

    with ExitStack() as stack:
        listener = stack.enter_context(bind(settings.mcp_host, settings.mcp_port))
        stack.enter_context(metrics_folder())
        stack.enter_context(metrics_port(settings, Metrics()))
        return await Supervisor(each, listener, patience or Patience(), on_serving=greet).run()


class Supervisor:
    """Keeps so many workers alive. It serves nothing itself."""

    def __init__(
        self,
        each: Mapping[str, Settings],
        listener: socket.socket,
        patience: Patience,
        *,
        on_serving: Callable[[], None],
    ) -> None:
        self._each = each
        self._settings = in_common(each)
        self._listener = listener
        self._patience = patience
        self._on_serving = on_serving
        self._serving = asyncio.Event()
        self._stopping = asyncio.Event()
        self._workers: set[WorkerProcess] = set()
        self._code = 0

    async def run(self) -> int:
        """Until told to stop, or until workers cannot start; the exit code."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._told)
        loop.add_signal_handler(signal.SIGTERM, self._told)
        for handed_on in (signal.SIGHUP, SHOW_STACKS):
            loop.add_signal_handler(handed_on, partial(self._tell, handed_on))
        async with asyncio.TaskGroup() as group:
            for number in range(self._settings.mcp_workers):
                group.create_task(self._keep_one(number))
        log.info("stopped")
        return self._code

    def _told(self) -> None:
        if self._stopping.is_set():
            self._tell(signal.SIGQUIT, starting=signal.SIGKILL)
        else:
            self._stop()

    def _stop(self, code: int = 0) -> None:
        if self._stopping.is_set():
            return
        self._code = code
        self._stopping.set()
        # As long as it is open here, connections would be accepted that nobody serves.
        self._listener.close()
        self._tell(signal.SIGTERM, starting=signal.SIGTERM)
        limit = self._settings.mcp_drain_seconds + self._settings.mcp_grace_seconds + KILL_AFTER
        asyncio.get_running_loop().call_later(limit, self._tell, signal.SIGKILL, signal.SIGKILL)

    def _tell(self, number: signal.Signals, starting: signal.Signals | None = None) -> None:
        """Send all workers a signal; ``starting``, if any, to those that know no signals yet."""
        for worker in self._workers:
            if told := number if worker.has_served else starting:
                worker.send(told)

    async def _keep_one(self, number: int) -> None:
        if number:
            await self._either(self._serving)
        deaths = false_starts = 0
        while not self._stopping.is_set():
            worker = WorkerProcess(
                self._each, self._listener, self._patience, on_serving=self._started
            )
            self._workers.add(worker)
            code, lived = await worker.ended()
            self._workers.discard(worker)
            if self._stopping.is_set():
                # One that was told to stop while it still started dies of the signal.
                if code and (worker.has_served or code != -signal.SIGTERM):
                    self._code = self._code or CUT
                return
            deaths = 1 if lived >= STEADY_SECONDS else deaths + 1
            false_starts = 0 if worker.has_served else false_starts + 1
            if code == WRONG_SETTINGS and not self._serving.is_set():
                self._stop(WRONG_SETTINGS)
            elif false_starts >= FALSE_STARTS and not self._one_serves:
                log.error("workers_cannot_start", exit_code=code)
                self._stop(CANNOT_START)
            else:
                pause = min(FIRST_PAUSE * 2 ** (deaths - 1), LONGEST_PAUSE)
                log.error("worker_died", pid=worker.pid, exit_code=code, again_in=pause)
                await self._either(seconds=pause)

    @property
    def _one_serves(self) -> bool:
        """Whether a worker is left that serves: it must not end for the trouble of a new one."""
        return any(worker.has_served for worker in self._workers)

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
