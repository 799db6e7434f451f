"""What the edge costs a call: ``python benchmarks/edge.py``.

Two apps over the same host, in this process and without a network, are asked by turns for the
cheapest thing there is, a signed-in ``ping``: one with everything that stands before the MCP
endpoint (limits, sizes, forwarded addresses, headers, request ids, metrics), one without. A real
call costs more, so that the edge's part in it is smaller. Takes some seconds.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import httpx
from observability import spare_the_collector
from starlette.types import ASGIApp
from store_scale import CLIENT, HEADERS, LONG, PING, SCOPES, USER, pointer, redmine, session

from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from redmine_mcp_core.http import create_app
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import open_host
from redmine_mcp_core.settings import load_settings

TARGET = 1.2
"""Of the cheapest request there is; runs differ by 0.02. It is a twentieth of a tool call."""
ROUNDS, CALLS = 200, 10


async def run(folder: Path) -> float:
    """Measure and print; the ratio."""
    metrics = Metrics()
    settings = load_settings(
        redmine_url="http://127.0.0.1:3000",
        redmine_client_id=CLIENT,
        redmine_client_secret="s" * 43,
        token_store_url=f"sqlite://{folder / 'tokens.sqlite3'}",
        mcp_limit_user=10**9,
        _env_file=None,
    )
    transport = httpx.MockTransport(redmine)
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(
            open_host(settings, discover_plugins(metrics), metrics, transport=transport)
        )
        await host.store.put("0", pointer("0"), collection="mcp-jti-mappings", ttl=LONG)
        await host.store.put("0", session("0"), collection="mcp-upstream-tokens", ttl=LONG)
        clients = {}
        for name, app in {
            "bare": host.mcp.http_app(path="/mcp", stateless_http=True),
            "edge": create_app(host),
        }.items():
            await stack.enter_async_context(app.router.lifespan_context(app))
            clients[name] = await stack.enter_async_context(client(app, settings.public_url))
        proxy = host.mcp.auth
        assert isinstance(proxy, RedmineOAuthProxy)
        token = proxy.jwt_issuer.issue_access_token(CLIENT, SCOPES, "0", int(LONG), USER)
        headers = {**HEADERS, "Authorization": f"Bearer {token}"}
        costs: dict[str, list[float]] = {name: [] for name in clients}
        spare_the_collector()
        for _ in range(ROUNDS):
            for name, http in clients.items():
                started = time.process_time()
                for _ in range(CALLS):
                    answer = await http.post("/mcp", json=PING, headers=headers)
                    assert answer.status_code == 200, answer.text
                costs[name].append((time.process_time() - started) / CALLS)
    bare, edge = median(costs["bare"]), median(costs["edge"])
    print(f"a ping: {bare * 1e6:.0f} µs without the edge, {edge * 1e6:.0f} with it")
    print(f"  in relation: {edge / bare:.3f} (target <= {TARGET})")
    return edge / bare


def client(app: ASGIApp, url: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=("198.51.100.7", 1))
    return httpx.AsyncClient(transport=transport, base_url=url)


def main() -> int:
    configure_logging(log_format="console", level="warning")
    with tempfile.TemporaryDirectory(prefix="edge-") as folder:
        return 0 if asyncio.run(run(Path(folder))) <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
