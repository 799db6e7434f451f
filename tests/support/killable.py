"""Servers that are killed as a crash would kill them, and started again at the same place."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes import listens, until
from tests.support.programs import program
from tests.support.servers import free_port

ROOT = Path(__file__).parents[2]
KEEPING = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
"""How operators are told to run a Redis: it keeps what it acknowledged."""


class Killable:
    """A program that serves a port of loopback, from one life to the next."""

    def __init__(
        self,
        port: int,
        command: Sequence[str | Path],
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._command = command
        self._log = folder / f"{port}.log"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it listens; what it says is added to its log."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdout=log, stderr=log, env=self._environment, cwd=ROOT
            )
        await until(lambda: listens(self._port))

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Redis(Killable):
    """A redis-server that keeps what it acknowledged in this folder."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        super().__init__(port, [program("redis-server"), *where, *KEEPING], folder)
        self.url = f"redis://127.0.0.1:{port}/0"


class LastingRedmine(Killable):
    """The sandbox, with its sign-ins in a file."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.file = folder / "redmine-sign-ins"
        command = [sys.executable, "-m", "tests.support.lasting_redmine", str(port)]
        super().__init__(port, [*command, str(self.file)], folder)
