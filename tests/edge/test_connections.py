"""Connections that dawdle: who does not read, who is one too many, who never shakes hands."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.edge import connections, stopping
from redmine_mcp_core.edge.overload import Overload
from redmine_mcp_core.edge.stopping import CalmServer
from redmine_mcp_core.edge.tls import Tls
from redmine_mcp_core.serving import bind
from tests.edge.asgi import echo
from tests.support.certificates import Authority
from tests.support.processes import until

LARGE = 8 * 1024 * 1024
"""Bytes of an answer that no buffer of the system holds."""
REQUEST = b"GET / HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n"


@asynccontextmanager
async def served(app: ASGIApp, **options: Any) -> AsyncIterator[tuple[CalmServer, int]]:
    """A server of this app, and its port."""
    listener = bind("127.0.0.1", 0)
    started = asyncio.Event()
    server = CalmServer(app, on_started=started.set, lifespan="off", **options)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await started.wait()
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.end()
        await serving


async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
    length = (b"content-length", str(LARGE).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    for _ in range(8):
        await send({"type": "http.response.body", "body": bytes(LARGE // 8), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def large_and_over(_scope: Scope, _receive: Receive, send: Send) -> None:
    """As uvicorn does by itself: all at once, and the connection is to be closed then."""
    headers = [(b"content-length", str(LARGE).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


def caller(port: int) -> socket.socket:
    """A client that can take little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.settimeout(10)
    return connection


@pytest.mark.parametrize("app", [large, large_and_over])
async def test_who_does_not_read_is_cut_off(app: ASGIApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the app waits for them, and when the connection is only to be closed any more: else
    some hundreds of such connections would be all there are."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.1)
    async with served(app) as (server, port):
        with caller(port) as connection:
            connection.sendall(REQUEST)
            await until(lambda: bool(server.server_state.connections))
            await until(lambda: not server.server_state.connections)


async def test_who_reads_slowly_gets_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slower than the server looks after them, and steadily."""
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.05)
    async with served(large) as (_, port):
        with caller(port) as connection:
            connection.sendall(REQUEST)
            got = looks = 0
            while got < LARGE:
                part = await asyncio.to_thread(connection.recv, 256 * 1024)
                assert part
                got += len(part)
                looks += 1
                await asyncio.sleep(0.005 if looks < 200 else 0)


async def test_one_connection_too_many_is_told_to_come_back() -> None:
    """With 503 and Retry-After, as any other excess, and not kept; a probe is answered all the
    same."""
    app = Overload(echo, at_once=10, seconds=60)
    async with served(app, limit_concurrency=2) as (server, port):
        with caller(port), caller(port):
            await until(lambda: len(server.server_state.connections) == 2)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
                probe = await http.get("/health")
                refused = await http.get("/other")
        await until(lambda: not server.server_state.connections)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            later = await http.get("/other")

    assert (probe.status_code, refused.status_code, later.status_code) == (200, 503, 200)
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers["Connection"] == "close"


async def test_who_never_shakes_hands_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS has as long as the head of a request, and not a minute."""
    monkeypatch.setattr(stopping, "HEAD_SECONDS", 0.1)
    tls = Tls(*Authority().write(tmp_path))
    async with served(echo, ssl_context_factory=lambda *_: tls.context) as (_, port):
        with caller(port) as connection:
            assert await asyncio.to_thread(connection.recv, 1) == b""
