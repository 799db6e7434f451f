"""The client's side of the bridge: one message a line on standard input and output.

The two streams are taken away from everything else in this process: what a library prints, or a
browser that we start, goes to standard error. They are read and written by threads that end with
the process, so that a client which neither writes nor reads cannot keep it alive.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import suppress

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.messages import Message


class Stdio:
    """Messages from and to the client. ``gone`` is set when nobody reads them any more."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._input, self._output = _claim(0, os.O_RDONLY), _claim(1, os.O_WRONLY)
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=64)
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._written = asyncio.Event()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._write, daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[Message]:
        """The client's messages until it closes its end. What is no message is answered."""
        while (line := await self._lines.get()) is not None:
            try:
                said = json.loads(line)
            except ValueError:
                self.write(rpc.error(None, "This line is no JSON.", rpc.PARSE_ERROR))
                continue
            for message in said if isinstance(said, list) else [said]:
                if isinstance(message, dict):
                    yield message

    def write(self, message: Message) -> None:
        """Send a message to the client, after those before it."""
        self._outgoing.put(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def flush(self, seconds: float = 2) -> None:
        """Wait until everything is written, but not for ever."""
        self._outgoing.put(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._written.wait()

    def _read(self) -> None:
        with suppress(OSError, CancelledError, RuntimeError), os.fdopen(self._input, "rb") as lines:
            for line in lines:
                if line.strip():
                    self._hand_over(line)
        # The loop may be gone by now.
        with suppress(CancelledError, RuntimeError):
            self._hand_over(None)

    def _hand_over(self, line: bytes | None) -> None:
        asyncio.run_coroutine_threadsafe(self._lines.put(line), self._loop).result()

    def _write(self) -> None:
        try:
            while (data := self._outgoing.get()) is not None:
                while data:
                    data = data[os.write(self._output, data) :]
        except OSError:
            self._signal(self.gone)
        self._signal(self._written)

    def _signal(self, event: asyncio.Event) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(event.set)


def _claim(number: int, mode: int) -> int:
    """A private copy of a standard stream; the stream itself becomes standard error or nothing."""
    private = os.dup(number)
    if mode == os.O_WRONLY:
        os.dup2(2, number)
    else:
        nothing = os.open(os.devnull, mode)
        os.dup2(nothing, number)
        os.close(nothing)
    return private
