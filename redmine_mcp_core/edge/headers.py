"""Headers that make browsers careful, on whatever leaves the server and names none itself."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HSTS = (b"strict-transport-security", b"max-age=31536000")
"""A year (RFC 6797). Other hosts below this one are their operator's own business."""
CAREFUL = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    # Nothing here may be kept by a cache unless it says so: most of it is somebody's own.
    (b"cache-control", b"no-store"),
)


class SecurityHeaders:
    """Adds them where they are missing; a page that knows better keeps its own."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        """``https``: whether clients reach this server by https."""
        self._app = app
        self._headers = (*CAREFUL, HSTS) if https else CAREFUL

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                named = {name.lower() for name, _ in headers}
                headers += [header for header in self._headers if header[0] not in named]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, careful)
