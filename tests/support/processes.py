"""``redmine-mcp`` as its users run it: a process of its own, with signals and an exit code."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx

COMMAND = Path(sys.executable).with_name("redmine-mcp")


class Process:
    """One run of a ``redmine-mcp`` command, in a folder that holds nothing else of ours."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *arguments: str,
        program: Sequence[str | Path] = (COMMAND,),
    ) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._environment = {**environment, "HOME": str(folder)}
        self._command = [*program, *arguments]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        with self._path("stdout").open("wb") as out, self._path("stderr").open("wb") as err:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def _path(self, stream: str) -> Path:
        return self._folder / stream

    @property
    def stdout(self) -> str:
        return self._path("stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self._path("stderr").read_text(encoding="utf-8")

    async def says(self, event: str, times: int = 1) -> bool:
        """Whether it has logged this, so many times."""
        return self.stderr.count(event) >= times

    async def serves(self, url: str, *, verify: ssl.SSLContext | bool = True) -> None:
        """Wait until a server there is alive. Raises ``AssertionError`` if the process ends."""

        async def alive() -> bool:
            assert self._process.returncode is None, f"it has ended:\n{self.stderr}"
            return await answers_with(200, f"{url}/health", verify=verify)

        await until(alive)

    async def stops_listening(self, port: int) -> None:
        """Wait until nothing accepts connections at the port any more."""

        async def silent() -> bool:
            return not await listens(port)

        await until(silent)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Wait for its end; a negative number is the signal that ended it."""
        async with asyncio.timeout(30):
            return await self._process.wait()


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait for something that tells nobody when it happens; half a minute at most."""
    async with asyncio.timeout(30):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.01)


async def answers_with(status: int, url: str, *, verify: ssl.SSLContext | bool = True) -> bool:
    """Whether something answers at the address, and with this status."""
    async with httpx.AsyncClient(trust_env=False, verify=verify) as http:
        try:
            return (await http.get(url)).status_code == status
        except httpx.TransportError:
            return False


async def listens(port: int) -> bool:
    """Whether something on loopback accepts connections at the port."""
    try:
        _, writer = await asyncio.open_connection("localhost", port)
    except OSError:
        return False
    writer.close()
    return True
