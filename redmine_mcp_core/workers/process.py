"""A worker process, as its supervisor sees it: when it serves, whether it lives, how it ended."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping

from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.worker_metrics import worker_ended
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.workers.heartbeat import Ear, Patience
from redmine_mcp_core.workers.work import SHOW_STACKS, work

_spawning = multiprocessing.get_context("spawn")


class WorkerProcess:
    """One worker, started at once. If it falls silent it is killed."""

    def __init__(
        self,
        each: Mapping[str, Settings],
        listener: socket.socket,
        patience: Patience,
        *,
        on_serving: Callable[[], None],
    ) -> None:
        self._patience = patience
        self._on_serving = on_serving
        self._begun = time.monotonic()
        here, there = _spawning.Pipe(duplex=False)
        self._process = _spawning.Process(target=work, args=(each, listener, there, patience.every))
        # Ctrl-C reaches the whole group of processes; the workers wait for their supervisor.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        there.close()
        self.pid = self._process.pid or 0
        loop = asyncio.get_running_loop()
        self._end = loop.create_future()
        loop.add_reader(self._process.sentinel, self._gone)
        self._ear = Ear(here, on_serving=self._serves)
        self._watch = loop.create_task(self._end_when_silent())

    @property
    def has_served(self) -> bool:
        """Whether it came as far as to listen."""
        return self._ear.has_served

    def _serves(self) -> None:
        log.info("worker_started", pid=self.pid)
        self._on_serving()

    def _gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._end.set_result(time.monotonic() - self._begun)

    async def _end_when_silent(self) -> None:
        seconds = await self._ear.silence(self._patience)
        log.error("worker_hung", pid=self.pid, silent=seconds)
        self.send(SHOW_STACKS)
        await asyncio.sleep(self._patience.last_words)
        self.send(signal.SIGKILL)

    async def ended(self) -> tuple[int, float]:
        """Wait for its end: the exit code, negative for a signal, and the seconds it lived."""
        lived = await self._end
        self._watch.cancel()
        self._process.join()
        self._ear.close()
        code = self._process.exitcode or 0
        self._process.close()
        worker_ended(self.pid)
        return code, lived

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if not self._end.done():
            os.kill(self.pid, number)
