"""The ASGI app round the MCP server: health, readiness and metrics beside it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.server import Host
from redmine_mcp_core.storage import StoreError

READY_SECONDS = 2.0
"""How long an answer of /ready is kept, so that asking it often costs Redmine nothing."""


def create_app(host: Host) -> Starlette:
    """The whole HTTP server. These routes stand outside authentication: a probe costs no lookup."""
    public = urlsplit(host.settings.public_url)
    mcp_app = host.mcp.http_app(
        path="/mcp",
        # Any replica can answer any request, and a restart breaks no session (ADR 3).
        stateless_http=True,
        host_origin_protection=True,
        allowed_hosts=[public.hostname or ""],
        allowed_origins=[f"{public.scheme}://{public.netloc}"],
    )
    mcp_app.add_exception_handler(StoreError, _store_is_away)
    return Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            Route("/ready", _ready(host), methods=["GET"]),
            Route("/metrics", _metrics(host), methods=["GET"]),
            Mount("/", mcp_app),
        ],
        lifespan=mcp_app.lifespan,
    )


async def _store_is_away(_request: Request, _error: Exception) -> Response:
    return JSONResponse(
        {
            "error": "temporarily_unavailable",
            "error_description": "The server cannot reach its token store just now. Try again.",
        },
        status_code=503,
        headers={"Retry-After": "5"},
    )


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "alive"})


def _metrics(host: Host) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(host.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _ready(host: Host) -> Callable[[Request], Awaitable[Response]]:
    kept: tuple[float, list[HealthReport]] = (float("-inf"), [])

    async def ready(_request: Request) -> Response:
        nonlocal kept
        if time.monotonic() - kept[0] > READY_SECONDS:
            kept = (time.monotonic(), await host.plugins.check_health())
        healthy = all(report.healthy for report in kept[1])
        return JSONResponse(
            {
                "status": "ready" if healthy else "not ready",
                "checks": {
                    report.name: "ok" if report.healthy else report.message for report in kept[1]
                },
                "plugins_left_out": host.plugins.problems,
            },
            status_code=200 if healthy else 503,
        )

    return ready
