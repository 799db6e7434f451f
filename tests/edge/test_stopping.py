"""The moment in which a server stops listening: nobody who has called already is cut off."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http.client import HTTPResponse

import pytest

from redmine_mcp_core.edge.stopping import CalmServer
from redmine_mcp_core.serving import bind
from tests.edge.asgi import echo

REQUEST = b"GET / HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n"


@dataclass
class Running:
    server: CalmServer
    listener: socket.socket

    def connected(self) -> socket.socket:
        """A connection that the system has made, and our side has not seen: nothing is awaited."""
        return socket.create_connection(self.listener.getsockname(), timeout=10)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    listener = bind("127.0.0.1", 0)
    started = asyncio.Event()
    server = CalmServer(echo, on_started=started.set, lifespan="off")
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await started.wait()
    yield Running(server, listener)
    server.end()
    await serving


async def answered(connection: socket.socket) -> int:
    """The status of the next answer, of which nothing is left to read."""

    def read() -> int:
        response = HTTPResponse(connection)
        response.begin()
        response.read()
        return response.status

    return await asyncio.to_thread(read)


async def test_who_waits_to_be_accepted_is_answered(running: Running) -> None:
    """Such a caller was let in by the system; closing the port now would cut them off."""
    with running.connected() as connection:
        connection.sendall(REQUEST)
        await running.server.shutdown([running.listener])

        assert await answered(connection) == 200


async def test_a_request_that_nobody_has_read_is_answered(running: Running) -> None:
    """It came over a connection that was kept, when that was about to be closed."""
    with running.connected() as connection:
        connection.sendall(REQUEST)
        assert await answered(connection) == 200
        connection.sendall(REQUEST)
        await running.server.shutdown([running.listener])

        assert await answered(connection) == 200


async def test_nobody_comes_in_any_more(running: Running) -> None:
    """The port is closed at once."""
    await running.server.shutdown([running.listener])

    with pytest.raises(OSError, match="Bad file descriptor"):
        running.connected()
