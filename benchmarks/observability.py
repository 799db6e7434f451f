"""What being seen from outside costs: a call with metrics, audit, ids and logs, and one without.

    python benchmarks/observability.py [calls]

Both run the same server in one process, in turns, so that only their ratio is told. "Without" is
the same code with each place of observation replaced by nothing.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import httpx
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redmine_mcp_sandbox import Sandbox
from redmine_mcp_sandbox.seed import load_seed

from redmine_mcp_core.http import create_app
from redmine_mcp_core.mcp import calls
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability import requests, traces
from redmine_mcp_core.observability.audit import Audit
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import open_host
from redmine_mcp_core.serving import COLLECT_AFTER
from redmine_mcp_core.settings import load_settings

CALLS = 400
ROUNDS = 12
LIMITS = ("mcp_limit_user", "mcp_limit_client", "mcp_limit_address")
"""Not what is measured here: 0 turns them off."""

Call = Callable[[], Awaitable[None]]


class _Unseen:
    """A request to Redmine that nobody observes."""

    headers: dict[str, str] = {}  # noqa: RUF012 - never written to

    def __init__(self, *_: object) -> None: ...

    def end(self, *_: object) -> None: ...


@contextmanager
def unobserved() -> Iterator[None]:
    """Replace each place of observation by nothing."""

    def nothing(*_: object, **__: object) -> None: ...

    async def straight(self: Any, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    with (
        patch.object(requests.ObservedRequests, "__call__", straight),
        patch.object(Metrics, "inc", nothing),
        patch.object(Metrics, "observe", nothing),
        patch.object(Audit, "note", nothing),
        patch.object(calls, "request_id_bound", lambda _: nullcontext()),
        patch("redmine_mcp_core.server.observed_by", lambda _: _Unseen),
        patch("redmine_mcp_core.server.observed_store", lambda store, _: store),
    ):
        yield


@asynccontextmanager
async def caller(*, traced: bool = False) -> AsyncIterator[Call]:
    """A call of one tool of a whole server, over ASGI."""
    sandbox = Sandbox("http://redmine.test")
    alice = next(user for user in load_seed().users if user.login == "alice")
    settings = load_settings(
        redmine_url="http://redmine.test",
        redmine_client_id="benchmark",
        redmine_client_secret="benchmark-secret-0123456789",
        mcp_sign_in=["header"],
        token_store_url="memory:",
        _env_file=None,
        **dict.fromkeys(LIMITS, 0),
    )
    async with AsyncExitStack() as stack:
        if traced:
            provider = TracerProvider()
            provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
            stack.enter_context(patch.object(traces.trace, "get_tracer_provider", lambda: provider))
        metrics = Metrics()
        transport = httpx.ASGITransport(sandbox.app)
        host = await stack.enter_async_context(
            open_host(settings, discover_plugins(metrics), metrics, transport=transport)
        )
        app = create_app(host)
        await stack.enter_async_context(app.router.lifespan_context(app))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url=settings.public_url,
                headers={
                    "X-Redmine-API-Key": alice.api_key,
                    "Accept": "application/json, text/event-stream",
                    "MCP-Protocol-Version": "2025-11-25",
                },
            )
        )
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "get_issue_details", "arguments": {"issue_id": 1}},
        }

        async def call() -> None:
            answer = await http.post("/mcp", json=message)
            if answer.status_code != 200 or '"isError":true' in answer.text:
                raise RuntimeError(answer.text)

        yield call


def spare_the_collector() -> None:
    """As ``serve`` does. Else its walks over all there is count for whatever they happen upon."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


async def seconds_per_call(call: Call, number: int) -> float:
    # Of the processor, so that whoever else is at work on this machine does not count.
    started = time.process_time()
    for _ in range(number):
        await call()
    return (time.process_time() - started) / number


async def main(number: int) -> None:
    configure_logging(log_format="json", level="info")
    times: dict[str, list[float]] = {"with": [], "without": [], "with traces": []}
    per_round = max(1, number // ROUNDS)
    async with AsyncExitStack() as stack:
        seen = await stack.enter_async_context(caller())
        with unobserved():
            unseen = await stack.enter_async_context(caller())
        await seconds_per_call(seen, per_round)
        spare_the_collector()
        for _ in range(ROUNDS):
            times["with"].append(await seconds_per_call(seen, per_round))
            with unobserved():
                times["without"].append(await seconds_per_call(unseen, per_round))
    async with caller(traced=True) as traced:
        for _ in range(ROUNDS):
            times["with traces"].append(await seconds_per_call(traced, per_round))
    without = statistics.median(times["without"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:<12} {median * 1e6:6.0f} µs a call, ratio {median / without:.3f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS))
