"""Servers on loopback: any ASGI app, the sandbox Redmine, and our own server in front of either."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redmine_mcp_sandbox import Sandbox
from starlette.types import ASGIApp

from redmine_mcp_core.edge.stopping import CalmServer
from redmine_mcp_core.http import create_app
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.server import Host, open_host
from redmine_mcp_core.settings import Settings, load_settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(app: ASGIApp, port: int, *, lifespan: str = "off") -> AsyncIterator[None]:
    """Serve an app on loopback while the block runs."""
    server = CalmServer(app, grace=2, host="127.0.0.1", port=port, lifespan=lifespan)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server stopped before it had started")
            await asyncio.sleep(0.005)
        yield
    finally:
        server.end()
        await task


@dataclass(frozen=True)
class Target:
    """A Redmine to stand in front of, and an application registered in it."""

    url: str
    client_id: str
    client_secret: str
    sandbox: Sandbox | None = None
    """The sandbox itself; None for the real Redmine."""


def real_target() -> Target | None:
    """The real Redmine that ``tests/real_redmine`` started, where it did."""
    url = os.environ.get("REAL_REDMINE_URL")
    if not url:
        return None
    sandbox = Sandbox()
    return Target(url, sandbox.client_id, sandbox.client_secret)


@asynccontextmanager
async def sandbox_target() -> AsyncIterator[Target]:
    """A fresh sandbox on a free port."""
    port = free_port()
    sandbox = Sandbox(base_url=f"http://127.0.0.1:{port}")
    async with serving(sandbox.app, port):
        yield Target(f"http://127.0.0.1:{port}", sandbox.client_id, sandbox.client_secret, sandbox)


WITHOUT_OAUTH: dict[str, Any] = {
    "redmine_client_id": None,
    "redmine_client_secret": None,
    "jwt_signing_key": "a-signing-key-of-our-own-000000",
}
"""Settings before a Redmine that is taken for one without OAuth."""
BY_KEY: dict[str, Any] = {"mcp_sign_in": ["key-login"], **WITHOUT_OAUTH}


def settings_for(target: Target, port: int, **overrides: Any) -> Settings:
    values: dict[str, Any] = {
        "redmine_url": target.url,
        "redmine_client_id": target.client_id,
        "redmine_client_secret": target.client_secret,
        "mcp_port": port,
        "token_store_url": "memory:",
        "redmine_timeout": 5.0,
        "_env_file": None,
    }
    return load_settings(**{**values, **overrides})


@dataclass(frozen=True)
class Running:
    """Our server, running."""

    url: str
    host: Host
    target: Target


@asynccontextmanager
async def running_server(
    target: Target, *, plugins: Plugins | None = None, port: int | None = None, **overrides: Any
) -> AsyncIterator[Running]:
    """Our server in front of a Redmine, in this process."""
    port = port or free_port()
    settings = settings_for(target, port, **overrides)
    metrics = Metrics()
    plugins = plugins or discover_plugins(metrics)
    async with (
        open_host(settings, plugins, metrics) as host,
        serving(create_app(host), port, lifespan="on"),
    ):
        yield Running(f"http://127.0.0.1:{port}", host, target)


def server_environment(target: Target, port: int, store: Path, **extra: str) -> dict[str, str]:
    """The environment of a ``redmine-mcp serve`` in a process of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "REDMINE_URL": target.url,
        "REDMINE_CLIENT_ID": target.client_id,
        "REDMINE_CLIENT_SECRET": target.client_secret,
        "MCP_PORT": str(port),
        "TOKEN_STORE_URL": f"sqlite:///{store}",
        **extra,
    }
