"""The ASGI app: the edge, and behind it the MCP server, health, readiness and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from fastmcp.server.http import StarletteWithLifespan
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from redmine_mcp_core.auth import forward, metadata
from redmine_mcp_core.auth.answers import cannot_ask
from redmine_mcp_core.auth.unauthorized import Unauthorized
from redmine_mcp_core.clients.front import front, opened_in_a_browser
from redmine_mcp_core.edge.answers import refuse
from redmine_mcp_core.edge.bodies import Bodies
from redmine_mcp_core.edge.counting import SharedCounts
from redmine_mcp_core.edge.forwarded import PEER, Forwarded
from redmine_mcp_core.edge.headers import SecurityHeaders
from redmine_mcp_core.edge.limits import (
    LIMITS,
    AddressLimits,
    Area,
    CallerLimits,
    Limiter,
    Per,
)
from redmine_mcp_core.edge.networks import Networks
from redmine_mcp_core.edge.overload import Overload
from redmine_mcp_core.edge.readiness import Closing, Endpoint, Operators, Readiness, health, ready
from redmine_mcp_core.events import Event, EventKind
from redmine_mcp_core.observability.requests import ObservedRequests, on_failure
from redmine_mcp_core.server import Host
from redmine_mcp_core.settings import MCP_PATH
from redmine_mcp_core.storage import StoreError

STORE_RETRY_SECONDS = 5.0
FRONT_METHODS = ["GET", "POST", "DELETE"]
"""What a browser asks the front page with, and an MCP client that takes it for its endpoint."""


def create_app(
    host: Host, readiness: Readiness | None = None, front_page: Endpoint | None = None
) -> Starlette:
    """The whole HTTP server. Its ``state.readiness`` is told when the server is to stop; servers
    that share a process share one, and a front page."""
    limiter = _limiter(host)
    readiness = readiness or Readiness(host.plugins.check_health)
    mcp_app = _mcp_app(host, limiter)
    app = Starlette(
        routes=[
            Route("/", front_page or front({"": host.settings}), methods=FRONT_METHODS),
            Route(MCP_PATH, opened_in_a_browser, methods=["GET"]),
            *_routes(host, readiness),
            Mount("/", mcp_app),
        ],
        middleware=_edge(host, limiter, readiness),
        lifespan=mcp_app.lifespan,
    )
    app.state.readiness = readiness
    return app


def _mcp_app(host: Host, limiter: Limiter) -> StarletteWithLifespan:
    public = urlsplit(host.settings.public_url)
    mcp_app = host.mcp.http_app(
        path=MCP_PATH,
        # Any replica can answer any request, and a restart breaks no session (ADR 3).
        stateless_http=True,
        host_origin_protection=True,
        allowed_hosts=[public.hostname or "", *host.settings.mcp_allowed_hosts],
        allowed_origins=[
            f"{public.scheme}://{public.netloc}",
            *host.settings.mcp_allowed_origins,
        ],
        # It runs within authentication, so that it knows whose request it is.
        middleware=[
            Middleware(CallerLimits, limiter=limiter),
            *host.middleware,
            Middleware(Unauthorized, ways=host.settings.mcp_sign_in),
        ],
    )
    mcp_app.add_exception_handler(StoreError, _store_is_away)
    mcp_app.add_exception_handler(Exception, on_failure)
    return mcp_app


def _edge(host: Host, limiter: Limiter, readiness: Readiness) -> list[Middleware]:
    """What each request passes, the outermost first."""
    settings = host.settings
    trusted = Networks(settings.mcp_trusted_proxies)
    pages = settings.mcp_allowed_origins
    return [
        Middleware(SecurityHeaders, https=settings.public_url.startswith("https:")),
        Middleware(ObservedRequests, metrics=host.metrics, access_log=settings.mcp_access_log),
        Middleware(Closing, readiness=readiness),
        Middleware(Forwarded, trusted=trusted, kind=settings.mcp_forwarded_header),
        *([_cors(pages)] if pages else []),
        Middleware(AddressLimits, limiter=limiter),
        Middleware(
            Overload, at_once=settings.mcp_max_requests, seconds=settings.mcp_request_seconds
        ),
        Middleware(Bodies),
    ]


def _cors(origins: Sequence[str]) -> Middleware:
    """For web pages of these origins, with tokens and without cookies."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["WWW-Authenticate", "Retry-After", "X-Request-Id"],
        max_age=3600,
    )


def _limiter(host: Host) -> Limiter:
    def tell(area: Area, per: Per) -> None:
        host.plugins.emit(Event(EventKind.LIMITED, reason=f"{area}_per_{per}"))

    rates = {(limit.area, limit.per): getattr(host.settings, limit.setting) for limit in LIMITS}
    return Limiter(SharedCounts(host.store), rates, tell=tell)


def _routes(host: Host, readiness: Readiness) -> list[BaseRoute]:
    """These stand outside authentication: a probe costs no look-up, whatever name it asks by."""
    operators = Operators(Networks(host.settings.mcp_operator_networks))

    def details() -> dict[str, object]:
        return {
            "redmine_circuit": host.gateway.circuit,
            "plugins_left_out": host.plugins.problems,
        }

    routes: list[BaseRoute] = [
        Route("/health", health, methods=["GET"]),
        Route("/ready", ready(readiness, operators, details), methods=["GET"]),
    ]
    verify = _forward_auth(host)
    # Envoy appends the path that it guards.
    routes += [Route(forward.PATH, verify), Route(f"{forward.PATH}/{{guarded:path}}", verify)]
    if host.settings.mcp_metrics_port is None:
        routes.append(Route("/metrics", operators.only(_metrics(host)), methods=["GET"]))
    return routes


def _forward_auth(host: Host) -> ASGIApp:
    proxies = Networks(host.settings.mcp_trusted_proxies)
    auth = host.mcp.auth
    assert auth is not None  # noqa: S101 - open_host
    return forward.ForwardAuth(
        auth.verify_token,
        cannot_ask,
        is_trusted=lambda scope: scope[PEER] in proxies,
        resource_metadata=metadata.of_resource(host.settings.mcp_url),
    )


def _metrics(host: Host) -> Endpoint:
    async def metrics(_request: Request) -> Response:
        return Response(host.metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return metrics


async def _store_is_away(request: Request, _error: Exception) -> Response:
    message = "The server cannot reach its token store just now. Try again."
    return refuse(
        request.scope, 503, "temporarily_unavailable", message, retry_after=STORE_RETRY_SECONDS
    )
