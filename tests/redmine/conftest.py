"""A Redmine of raw connections, which does what no client of HTTP expects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[Any], Any]]:
    """Serve raw connections on loopback."""
    servers: list[asyncio.Server] = []
    connections: list[asyncio.Task[None] | None] = []

    async def start(handle: Any) -> str:
        async def handle_and_close(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            connections.append(asyncio.current_task())
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handle(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(handle_and_close, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()
    await asyncio.gather(*filter(None, connections))
