"""Ending a session from the client's side: RFC 7009, for the public clients that MCP clients are.

FastMCP's own endpoint wants a client secret that its clients do not have, and takes an access token
without doing anything (it is therefore switched off). Here either token ends the whole session:
a client that signs out wants nothing left, and Redmine revokes both of a pair anyway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.auth.routes import cors_middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redmine_mcp_core.auth.answers import NOT_STORED, refused
from redmine_mcp_core.auth.session_proxy import SessionProxy, postponing

PATH = "/revoke"


def entries(proxy: SessionProxy) -> dict[str, Any]:
    """What the metadata of the authorization server says of it (RFC 8414, section 2)."""
    return {
        "revocation_endpoint": proxy.url(PATH),
        "revocation_endpoint_auth_methods_supported": ["none"],
    }


def route(proxy: SessionProxy) -> Route:
    endpoint = cors_middleware(revocation_endpoint(proxy), ["POST", "OPTIONS"])
    return Route(PATH, endpoint, methods=["POST", "OPTIONS"])


def revocation_endpoint(proxy: SessionProxy) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. A token that is unknown, or another client's, is answered like one that was
    revoked (RFC 7009, section 2.2): the answer tells a stranger nothing."""

    async def revoke(request: Request) -> Response:
        form = await request.form()
        token, client_id = str(form.get("token") or ""), str(form.get("client_id") or "")
        if not token or not client_id:
            missing = "token" if not token else "client_id"
            return refused("invalid_request", f"{missing} is missing")
        with postponing():
            session_id = await proxy.session_id_of(token)
            tokens = await proxy.upstream_tokens(session_id) if session_id else None
            if session_id and tokens and tokens.client_id == client_id:
                await proxy.end_session(session_id, "revoked_by_client")
        return Response(status_code=200, headers=NOT_STORED)

    return revoke
