"""An HTTP request as operators see it: its id, its count, its place in a trace, its log line.

It stands outermost, so that what any other layer turns away is seen as well.
"""

from __future__ import annotations

import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redmine_mcp_core.observability import traces
from redmine_mcp_core.observability.correlation import (
    REQUEST_ID_HEADER,
    accepted,
    current_request_id,
    request_id_bound,
    told_to_operator,
)
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.metrics import OTHER, Metrics

_FIRST = re.compile(r"/([a-z_.-]+)(?:/|\Z)")
_ROUTES = frozenset(
    """
    mcp health ready metrics authorize consent token register revoke introspect device
    device_authorization verify auth .well-known api-key login sessions jwks
    """.split()
)
GONE = 499
"""The status of a request whose client did not wait for the answer, as nginx counts it."""


def route_class(path: str) -> str:
    """Which of our routes a path belongs to: its first part if that is one of ours."""
    match = _FIRST.match(path)
    return f"/{match[1]}" if match and match[1] in _ROUTES else OTHER


class ObservedRequests:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, access_log: bool) -> None:
        """``access_log`` writes the line of each request at level info instead of debug."""
        self._app = app
        self._metrics = metrics
        self._tell = log.info if access_log else log.debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        with (
            request_id_bound(accepted(headers.get(REQUEST_ID_HEADER))),
            traces.continued_from(headers),
        ):
            await self._observed(scope, receive, send)

    async def _observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.monotonic()
        status = GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = MutableHeaders(raw=message.setdefault("headers", []))
                answered[REQUEST_ID_HEADER] = current_request_id() or ""
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:  # noqa: BLE001 - it is logged, and there is nobody beyond us
            log.exception("request_failed")
            if status == GONE:
                await failed()(scope, receive, sending)
        finally:
            route, seconds = route_class(scope["path"]), time.monotonic() - started
            self._metrics.inc("http_requests", route, str(status))
            self._metrics.observe("http_request_seconds", seconds, route)
            self._tell(
                "http_request",
                method=scope["method"],
                route=route,
                status=status,
                seconds=round(seconds, 4),
            )


async def on_failure(_request: Request, _error: Exception) -> Response:
    """Starlette's handler of what nobody else handled; the error comes past us after that."""
    return failed()


def failed() -> Response:
    """What is answered where something went wrong inside."""
    return JSONResponse(
        {"error": "server_error", "error_description": told_to_operator()}, status_code=500
    )
