"""``/health`` and ``/ready``: cheap enough to be asked every second, by anybody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redmine_mcp_core.edge.forwarded import STRANGE
from redmine_mcp_core.edge.networks import Networks
from redmine_mcp_core.observability.health import HealthReport

READY_SECONDS = 2.0
"""How long a round of checks holds, so that asking often costs Redmine nothing."""

Check = Callable[[], Awaitable[Sequence[HealthReport]]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Readiness:
    """Whether this server should be sent requests."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._reports: Sequence[HealthReport] = ()
        self._checked_at = float("-inf")
        self._checking: asyncio.Task[None] | None = None
        self.draining = False
        """Set when the server was told to stop: from then on it is not ready."""

    async def reports(self) -> Sequence[HealthReport]:
        """What the last round of checks found; however many ask, one round runs at a time."""
        if time.monotonic() - self._checked_at > READY_SECONDS:
            if self._checking is None:
                self._checking = asyncio.create_task(self._run(), name="health-checks")
            # Shielded: who asked may go away, while others still wait.
            await asyncio.shield(self._checking)
        return self._reports

    async def _run(self) -> None:
        try:
            self._reports = await self._check()
            self._checked_at = time.monotonic()
        finally:
            self._checking = None


class Closing:
    """Ends each connection with its present answer, once the server is to stop.

    A proxy keeps connections to use them again. It must not send a request just when we close one:
    it could not tell whether the request was done.
    """

    def __init__(self, app: ASGIApp, readiness: Readiness) -> None:
        self._app = app
        self._readiness = readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {
                    **message,
                    "headers": [*message.get("headers", ()), (b"connection", b"close")],
                }
            await send(message)

        await self._app(scope, receive, closing if self._readiness.draining else send)


async def health(_request: Request) -> Response:
    """The process is alive and its event loop turns."""
    return JSONResponse({"status": "alive"})


class Operators:
    """Whom details are for: the networks of ``MCP_OPERATOR_NETWORKS``.

    A request through a proxy that nobody vouches for may come from anywhere, so it is none of them.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def include(self, scope: Scope) -> bool:
        address = (scope.get("client") or ("",))[0]
        return address in self._networks and STRANGE not in scope

    def only(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, for operators alone."""

        async def guarded(request: Request) -> Response:
            if self.include(request.scope):
                return await endpoint(request)
            return PlainTextResponse("This is for the networks in MCP_OPERATOR_NETWORKS.", 403)

        return guarded


def ready(
    readiness: Readiness, operators: Operators, details: Callable[[], dict[str, object]]
) -> Endpoint:
    """The endpoint. 200 or 503 for everybody; what is wrong, and ``details``, for operators."""

    async def endpoint(request: Request) -> Response:
        reports = await readiness.reports()
        healthy = all(report.healthy for report in reports)
        running = "ready" if healthy else "not ready"
        status = "stopping" if readiness.draining else running
        answer: dict[str, object] = {"status": status}
        if operators.include(request.scope):
            answer["checks"] = {
                report.name: "ok" if report.healthy else report.message for report in reports
            }
            answer |= details()
        return JSONResponse(answer, 200 if status == "ready" else 503)

    return endpoint
