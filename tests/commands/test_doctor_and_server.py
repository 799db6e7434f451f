"""``redmine-mcp doctor`` beside a server: whose the port is, and where the public address leads."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.command_line import Run
from tests.support.servers import Target, free_port, running_server, serving


async def test_the_port_is_another_programs(
    configured: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that is taken is told."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("MCP_PORT", str(other.getsockname()[1]))
        monkeypatch.setattr("redmine_mcp_core.checks.server.HEALTH_SECONDS", 0.2)
        code, out, _ = await configured("doctor")

    assert code == 1
    assert "Another program listens" in out


async def test_beside_a_running_server(
    configured: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reached by the address that clients use; one that leads to another server is told."""
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    async with running_server(sandbox, port=port):
        code, out, _ = await configured("doctor")
        monkeypatch.setenv("MCP_PUBLIC_URL", f"http://localhost:{port}")
        other, told, _ = await configured("doctor")

    assert code == 0, out
    assert "is served by redmine-mcp" in out
    assert "gets to this server" in out
    assert (other, "says that it is" in told) == (1, True)


async def test_beside_the_server_of_another_set_up(
    configured: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has our address and another Redmine, as a demo left running has, is not ours."""
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    monkeypatch.setenv("REDMINE_URL", sandbox.url.replace("127.0.0.1", "localhost"))
    async with running_server(sandbox, port=port):
        code, out, _ = await configured("doctor")

    assert code == 1
    assert "stands before another Redmine" in out


@asynccontextmanager
async def proxy(target: str, host: str | None) -> AsyncIterator[str]:
    """A proxy before a server, which calls it by this name or by the client's."""
    port = free_port()

    async def forward(request: Request) -> Response:
        headers = {**dict(request.headers), **({"host": host} if host else {})}
        async with httpx.AsyncClient() as http:
            answer = await http.request(
                request.method,
                f"{target}{request.url.path}",
                content=await request.body(),
                headers=headers,
            )
        return Response(answer.content, answer.status_code, media_type="application/json")

    routes = [Route("/{path:path}", forward, methods=["GET", "POST"])]
    async with serving(Starlette(routes=routes), port):
        yield f"http://localhost:{port}"


@pytest.mark.parametrize(
    ("host", "said"),
    [(None, "gets to this server"), ("internal.example", "by another name")],
    ids=["as clients call it", "by a name of its own"],
)
async def test_behind_a_proxy(
    configured: Run,
    sandbox: Target,
    monkeypatch: pytest.MonkeyPatch,
    host: str | None,
    said: str,
) -> None:
    """Whether the Host header comes through; that no proxy is trusted is a word besides."""
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    async with proxy(f"http://127.0.0.1:{port}", host) as public:
        monkeypatch.setenv("MCP_PUBLIC_URL", public)
        async with running_server(sandbox, port=port, mcp_public_url=public):
            code, out, _ = await configured("doctor")

    assert said in out
    assert code == (0 if host is None else 1)
    assert "MCP_TRUSTED_PROXIES" in out
