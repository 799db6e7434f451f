"""Why a call of the MCP endpoint is refused, in the body of the 401.

FastMCP says so for a bearer token that is not good. For a request without one it sends the
challenge alone (RFC 6750, section 3.1), and clients show people an empty error.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from redmine_mcp_core.auth.api_keys import API_KEY, BASIC
from redmine_mcp_core.auth.header import KEY_HEADER, presented
from redmine_mcp_core.settings import MCP_PATH

_REFUSED = {
    API_KEY: "Redmine refuses this API key. Its owner finds the right one there, at My account.",
    BASIC: "Redmine refuses this login and password.",
}
_SIGN_IN = "sign in with OAuth, where the header WWW-Authenticate says"
_SEND_KEY = f"send a Redmine API key in the header {KEY_HEADER}"


class Unauthorized:
    """Gives a 401 of the MCP endpoint a body, where it has none; status and challenge stay."""

    def __init__(self, app: ASGIApp, *, ways: Collection[str]) -> None:
        """``ways``: how people sign in, as ``MCP_SIGN_IN`` names it."""
        self._app = app
        self._takes_keys = "header" in ways
        choices = [_SIGN_IN] if set(ways) - {"header"} else []
        choices += [_SEND_KEY] if self._takes_keys else []
        self._nothing = f"Nobody is signed in: {', or '.join(choices)}."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != MCP_PATH:
            await self._app(scope, receive, send)
            return
        body = b""

        async def say(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start" and message["status"] == 401:
                headers = MutableHeaders(raw=list(message["headers"]))
                if headers.get("content-length") == "0":
                    body = self._why(scope)
                    headers["Content-Type"] = "application/json"
                    headers["Content-Length"] = str(len(body))
                    message = {**message, "headers": headers.raw}
            elif body:
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, say)

    def _why(self, scope: Scope) -> bytes:
        sent = presented(HTTPConnection(scope)) if self._takes_keys else None
        error, description = (
            ("invalid_token", _REFUSED[sent[0]]) if sent else ("unauthorized", self._nothing)
        )
        return json.dumps({"error": error, "error_description": description}).encode()
