"""Telling a client which permission it lacks, so that it can go and get it.

A tool that needs a scope its token lacks is answered with 403 ``insufficient_scope`` and the scopes
(MCP specification, Authorization, "Scope Challenge Handling"; RFC 6750, section 3.1). FastMCP hides
such a tool or answers with an error result; neither tells a client where to turn to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastmcp.server.auth import AccessToken
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.edge.replaying import replayed
from redmine_mcp_core.settings import MCP_PATH

SESSION = "session"
"""The claim ``way`` of who signed in through us; others cannot be given more by asking again."""

Needs = Callable[[str], frozenset[str]]
"""The scopes of the tool of this name that a client could get; none for a tool it cannot have."""


class StepUp:
    """Answers 403 to a tool call beyond the token, before anything of it runs."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        needs: Needs,
        resource_metadata: str,
        calls_another: str,
    ) -> None:
        """``calls_another`` is the tool that calls the one it is given by name."""
        self._app = app
        self._needs = needs
        self._resource_metadata = resource_metadata
        self._calls_another = calls_another

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = self._signed_in_with(scope)
        if token is None:
            await self._app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        missing = self._tool_scopes(body) - set(token.scopes)
        if missing:
            await self._challenge(token, missing)(scope, receive, send)
            return
        await self._app(scope, replayed(body, receive), send)

    def _signed_in_with(self, scope: Scope) -> AccessToken | None:
        """The token of a call by somebody who signed in through us, and so could ask for more."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != MCP_PATH:
            return None
        user = scope.get("user")
        token = user.access_token if isinstance(user, AuthenticatedUser) else None
        if not isinstance(token, AccessToken) or token.claims.get("way") != SESSION:
            return None
        return token

    def _tool_scopes(self, body: bytes) -> frozenset[str]:
        # A body that is no call at all is for those behind us to refuse.
        if b'"tools/call"' not in body:
            return frozenset()
        try:
            sent = json.loads(body)
        except ValueError:
            return frozenset()
        calls = sent if isinstance(sent, list) else [sent]
        return frozenset().union(*(self._needs(name) for name in map(self._called, calls) if name))

    def _called(self, message: Any) -> str | None:
        """The tool that a JSON-RPC message calls."""
        if not isinstance(message, Mapping) or message.get("method") != "tools/call":
            return None
        params = message.get("params")
        name = params.get("name") if isinstance(params, Mapping) else None
        if isinstance(params, Mapping) and name == self._calls_another:
            arguments = params.get("arguments")
            name = arguments.get("name") if isinstance(arguments, Mapping) else None
        return name if isinstance(name, str) else None

    def _challenge(self, token: AccessToken, missing: Sequence[str] | frozenset[str]) -> ASGIApp:
        # With those it has, since what a client gets next takes the place of what it has.
        scopes = " ".join(sorted({*token.scopes, *missing}))
        description = f"This needs {', '.join(sorted(missing))}, which was not granted."
        return JSONResponse(
            {"error": "insufficient_scope", "error_description": description, "scope": scopes},
            status_code=403,
            headers={
                "WWW-Authenticate": 'Bearer error="insufficient_scope", '
                f'scope="{scopes}", resource_metadata="{self._resource_metadata}", '
                f'error_description="{description}"'
            },
        )
