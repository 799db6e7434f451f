"""The official conformance suite of MCP, run against our server as anybody would run it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.http import create_app
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import open_host
from tests.conformance.fixtures import add_fixtures, plugin
from tests.e2e.npm import Npm, environment
from tests.support.servers import Running, Target, free_port, serving, settings_for
from tests.support.sign_in import sign_in

PACKAGE = "@modelcontextprotocol/conformance"


class SignedIn:
    """Signs every MCP request in: the suite for servers can send no token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.token = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp" and self.token:
            scope = {**scope, "headers": list(scope["headers"])}
            MutableHeaders(scope=scope)["Authorization"] = f"Bearer {self.token}"
        await self._app(scope, receive, send)


@asynccontextmanager
async def signed_in_server(target: Target) -> AsyncIterator[Running]:
    """Our server with the suite's fixtures, to everybody as alice."""
    port = free_port()
    metrics = Metrics()
    plugins = discover_plugins(metrics)
    plugins.add([("conformance", plugin)])
    async with open_host(settings_for(target, port), plugins, metrics) as host:
        add_fixtures(host.mcp)
        app = SignedIn(create_app(host))
        async with serving(app, port, lifespan="on"):
            url = f"http://127.0.0.1:{port}"
            app.token = (await sign_in(url)).access
            yield Running(url, host, target)


@dataclass(frozen=True)
class Check:
    scenario: str
    id: str
    status: str
    message: str


async def run(
    npm: Npm,
    home: Path,
    *arguments: str,
    on_address: Callable[[str], Awaitable[object]] | None = None,
    seconds: float = 120,
) -> tuple[str, Sequence[Check]]:
    """One run of the suite: what it printed, and its checks.

    ``on_address`` is given the address that the suite asks a person to open, once it does.
    """
    results = home / "results"
    process = await asyncio.create_subprocess_exec(
        *npm.command(PACKAGE),
        *arguments,
        "--output-dir",
        str(results),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(home),
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(seconds):
            async for line in process.stdout:
                said += line.decode()
                if on_address and line.startswith(b"http"):
                    await on_address(line.decode().strip())
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return said, checks_in(results)


def checks_in(results: Path) -> Sequence[Check]:
    """The checks that a run has written down."""
    found = []
    for path in sorted(results.rglob("checks.json")):
        # The folder is named after both: server-tools-list-2026-11-21T03-00-00-000Z.
        scenario = re.sub(r"-\d{4}-\d\d-\d\dT.*", "", path.parent.name).removeprefix("server-")
        checks: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        found += [
            Check(scenario, check["id"], check["status"], check.get("errorMessage", ""))
            for check in checks
        ]
    return found
