"""ForwardAuth: a reverse proxy asks here whether a request to another service may pass, and whose
it is. So other MCP services are guarded by the same sign-in, and never see a token.

Configurations for nginx, Traefik and Envoy are in ``deploy/forward-auth``.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from fastmcp.server.auth import AccessToken
from starlette.authentication import AuthenticationError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from redmine_mcp_core.auth.account_access import scopes_elsewhere

PATH = "/verify"

_SCOPE = re.compile(r"[a-z_]+")
_NOT_STORED = {"Cache-Control": "no-store"}


class ForwardAuth:
    """The endpoint. It answers any method and any path below its own, as Envoy asks that way."""

    def __init__(
        self,
        verify: Callable[[str], Awaitable[AccessToken | None]],
        cannot_ask: Callable[[HTTPConnection, AuthenticationError], Response],
        *,
        is_trusted: Callable[[Scope], bool],
        resource_metadata: str,
    ) -> None:
        """``is_trusted`` tells whether a request comes from a proxy that may ask;
        ``resource_metadata`` is where clients learn how to sign in (RFC 9728, section 5.1)."""
        self._verify = verify
        self._cannot_ask = cannot_ask
        self._is_trusted = is_trusted
        self._resource_metadata = resource_metadata

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = await self._answer(request)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if not self._is_trusted(request.scope):
            # Whoever else asks is not even told that there is something here.
            return Response(status_code=404)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self._challenge(401)
        try:
            access = await self._verify(token.strip())
        except AuthenticationError as error:
            return self._cannot_ask(request, error)
        if access is None:
            return self._challenge(401, error="invalid_token")
        # A client may be able to add to the query (Envoy hands it on), and so to these at most.
        wanted = " ".join(request.query_params.getlist("scope")).split()
        if not set(wanted) <= set(scopes_elsewhere(access)):
            names = " ".join(name for name in wanted if _SCOPE.fullmatch(name))
            return self._challenge(403, error="insufficient_scope", scope=names)
        return Response(headers={**_NOT_STORED, **identity_headers(access)})

    def _challenge(self, status: int, **parameters: str) -> Response:
        """RFC 6750, section 3: a request without a token is told no error."""
        given = {**parameters, "resource_metadata": self._resource_metadata}
        challenge = ", ".join(f'{name}="{value}"' for name, value in given.items())
        return Response(
            status_code=status, headers={**_NOT_STORED, "WWW-Authenticate": f"Bearer {challenge}"}
        )


def identity_headers(access: AccessToken) -> dict[str, str]:
    """Who is calling. All of them are always there, so that a proxy that copies them overwrites
    whatever a client sent under these names.

    Login and name are percent-encoded UTF-8 (RFC 3986, section 2.1): header values are bytes
    without an encoding, and this one every language can undo.
    """
    return {
        "X-Redmine-User-Id": access.subject or "",
        "X-Redmine-Login": quote(str(access.claims.get("login", "")), safe="@"),
        "X-Redmine-Name": quote(str(access.claims.get("name", "")), safe=" "),
        "X-Redmine-Scopes": " ".join(scopes_elsewhere(access)),
    }
