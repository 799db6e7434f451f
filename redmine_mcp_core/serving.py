"""Listening on a port: the server itself, and the demo with a sandbox Redmine beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import uvicorn
from rich.console import Console
from rich.markup import escape
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

from redmine_mcp_core.demo import DemoAccount
from redmine_mcp_core.http import create_app
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.server import discover_plugins, open_host
from redmine_mcp_core.settings import Settings, SettingsError, load_settings

GRACE_SECONDS = 30
"""How long calls in flight may take to end once the server is told to stop."""


async def serve(settings: Settings, out: Console) -> None:
    """Serve until told to stop. Raises ``SettingsError`` before anything listens."""
    metrics = Metrics()
    await _serve(settings, discover_plugins(metrics), metrics, out)


async def serve_demo(out: Console, *, store_url: str) -> None:
    """Serve the Redmine that a plugin offers, on the port above ours or any free one."""
    metrics = Metrics()
    plugins = discover_plugins(metrics)
    offer = plugins.demo()
    if offer is None:
        raise SettingsError(["The demo needs a Redmine to show: pip install redmine-mcp-sandbox"])
    sandbox_socket = _listen_near(int(os.environ.get("MCP_PORT") or 8000) + 1)
    redmine_url = f"http://127.0.0.1:{sandbox_socket.getsockname()[1]}"
    settings = load_settings(
        redmine_url=redmine_url,
        redmine_client_id=offer.client_id,
        redmine_client_secret=offer.client_secret,
        token_store_url=os.environ.get("TOKEN_STORE_URL") or store_url,
    )
    sandbox = _Beside(offer.create_app(redmine_url), lifespan="off")
    serving = asyncio.create_task(sandbox.serve(sockets=[sandbox_socket]))
    try:
        await _serve(settings, plugins, metrics, out, offer.accounts)
    finally:
        sandbox.should_exit = True
        await serving


async def _serve(
    settings: Settings,
    plugins: Plugins,
    metrics: Metrics,
    out: Console,
    accounts: Sequence[DemoAccount] = (),
) -> None:
    async with open_host(settings, plugins, metrics) as host:
        listener = _listen(settings.mcp_host, settings.mcp_port)
        # sse-starlette would cut answers that are under way 0.3 s after SIGTERM.
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        server = _Server(create_app(host), lifespan="on")
        for line in greeting(settings, accounts):
            out.print(line, highlight=False, soft_wrap=True)
        log.info("serving", url=settings.public_url, redmine=settings.redmine_url)
        await server.serve(sockets=[listener])
        log.info("stopped")


class _Server(uvicorn.Server):
    """A server that ends well when told to: uvicorn would end and then die of the same signal."""

    def __init__(self, app: ASGIApp, *, lifespan: Literal["on", "off"]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan=lifespan,
                ws="none",
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        told = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in told}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Beside(_Server):
    """A server beside the main one: it leaves the signals to that one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            [f"MCP_PORT: cannot listen on {host}:{port} ({error.strerror}). Set another one."]
        ) from error


def _listen_near(port: int) -> socket.socket:
    try:
        return _listen("127.0.0.1", port)
    except SettingsError:
        return _listen("127.0.0.1", 0)


def greeting(settings: Settings, accounts: Sequence[DemoAccount]) -> Iterator[str]:
    """What to paste where, and who can log in."""
    url = f"{settings.public_url}/mcp"
    server = json.dumps({"mcpServers": {"redmine": {"url": url}}})
    bridged = {"command": "npx", "args": ["-y", "mcp-remote", url]}
    desktop = json.dumps({"mcpServers": {"redmine": bridged}})
    code = json.dumps({"name": "redmine", "type": "http", "url": url})
    yield f"\n[bold]Redmine MCP[/] serves {settings.redmine_url} at [bold cyan]{url}[/]\n"
    yield "[bold]Claude Code[/]"
    yield f"  claude mcp add --transport http redmine {url}"
    yield "[bold]Claude Desktop[/]  (claude_desktop_config.json)"
    yield escape(f"  {desktop}")
    yield "[bold]VS Code[/]"
    yield escape(f"  code --add-mcp '{code}'")
    yield "[bold]Cursor[/]  (~/.cursor/mcp.json)"
    yield escape(f"  {server}")
    if accounts:
        yield "\n[bold]Who can log in[/]"
        for account in accounts:
            yield f"  {account.login:<6} {account.password:<14} {account.can}"
    yield "\nCtrl-C ends it.\n"
