"""A wire between two servers that remembers what went over it, both ways."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """Passes TCP connections on to a server; ``sent`` and ``answered`` hold every byte."""

    def __init__(self, url: str, port: int) -> None:
        """Relay from a port on loopback to an address such as ``http://127.0.0.1:3999``."""
        self.url = f"http://127.0.0.1:{port}"
        self.sent = bytearray()
        self.answered = bytearray()
        self._port = port
        self._target = urlsplit(url)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            to_reader, to_writer = await asyncio.open_connection(
                self._target.hostname, self._target.port
            )
            await asyncio.gather(
                _pump(reader, to_writer, self.sent), _pump(to_reader, writer, self.answered)
            )
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, memory: bytearray
) -> None:
    try:
        while data := await reader.read(65536):
            memory += data
            writer.write(data)
            await writer.drain()
    finally:
        with suppress(OSError):
            writer.close()
