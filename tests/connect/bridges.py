"""The bridge as its users run it: a process of its own on real pipes, and somebody at a browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fastmcp.client.transports import StdioTransport

COMMAND = Path(sys.executable).with_name("redmine-mcp")
ADDRESS = re.compile(r"^\s+(https?://\S+)$", re.MULTILINE)

_BROWSER = """#!{python} -S
import sys, urllib.request
open({log!r}, "a").write(sys.argv[1] + "\\n")
urllib.request.urlopen(sys.argv[1]).read()
"""


class Home:
    """The machine of one person: a folder for what is stored, and a browser that clicks itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._visits = folder / "visits"
        browser = folder / "browser"
        browser.write_text(_BROWSER.format(python=sys.executable, log=str(self._visits)))
        browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "BROWSER": f"{browser} %s",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    @property
    def store(self) -> Path:
        return self.folder / ".local/share/redmine-mcp/connect"

    @property
    def log(self) -> Path:
        return self.folder / "stderr"

    @property
    def sign_ins(self) -> int:
        """How often the browser was opened."""
        return len(self._visits.read_text().splitlines()) if self._visits.exists() else 0

    def transport(self, url: str, *flags: str, **environment: str) -> StdioTransport:
        """The bridge, for FastMCP's client."""
        return StdioTransport(
            str(COMMAND),
            ["connect", url, *flags],
            self.environment | environment,
            keep_alive=False,
            log_file=self.log,
        )

    def bridge(self, url: str, *flags: str, **environment: str) -> Bridge:
        """The bridge, to talk to line by line."""
        return Bridge(self, ("connect", url, *flags), environment)

    async def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """A command to its end: exit code, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            env=self.environment | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


class Bridge:
    """A bridge that runs."""

    def __init__(self, home: Home, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        self._home = home
        self._arguments = arguments
        self._environment = environment
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        with self._home.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                COMMAND,
                *self._arguments,
                env=self._home.environment | self._environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, message: Any) -> None:
        self.say_line(json.dumps(message))

    def say_line(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line.encode() + b"\n")

    async def hear(self) -> Any:
        """The next line on standard output; every line has to be a message."""
        assert self._process.stdout
        async with asyncio.timeout(20):
            line = await self._process.stdout.readline()
        assert line, f"it has ended:\n{self._home.log.read_text()}"
        return json.loads(line)

    async def ask(self, method: str, request_id: Any = 1, **params: Any) -> Any:
        """The answer to a request; notifications that come before it are left out."""
        self.say({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        while (said := await self.hear()).get("id") != request_id or "method" in said:
            pass
        return said

    async def open(self) -> Any:
        """Shake hands."""
        answer = await self.ask(
            "initialize",
            0,
            protocolVersion="2025-11-25",
            clientInfo={"name": "test", "version": "1"},
            capabilities={},
        )
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer

    def close_input(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def ended(self) -> int:
        async with asyncio.timeout(20):
            return await self._process.wait()
