"""Introspection (RFC 7662): what a token of ours stands for, for resource servers of one's own.

Only service accounts that were given the right may ask. A token is active while it opens this
server, so the answer comes from the same check, Redmine's word included. A refresh token opens
nothing, and no resource server should take one: to it, that is inactive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastmcp.server.auth import AccessToken
from joserfc.errors import JoseError
from starlette.authentication import AuthenticationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from redmine_mcp_core.auth.account_access import WAY, scopes_elsewhere
from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.answers import NOT_STORED, cannot_ask, refused
from redmine_mcp_core.auth.client_auth import ClientSecret, unknown_client
from redmine_mcp_core.seams import OpenOAuthProxy

PATH = "/introspect"
INACTIVE = {"active": False}
"""All there is to say of a token that is not good, whyever (RFC 7662, section 2.2)."""


def introspection_endpoint(
    proxy: OpenOAuthProxy, accounts: ServiceAccounts
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, for POST."""

    async def introspect(request: Request) -> Response:
        form = await request.form()
        shown = ClientSecret.presented(request.headers, form)
        account = shown and await accounts.authenticated(shown.client_id, shown.secret)
        if not account:
            return unknown_client(request.headers)
        if not account.introspects:
            return refused("unauthorized_client", "This account may not introspect tokens.", 403)
        token = form.get("token")
        if not isinstance(token, str) or not token:
            return refused("invalid_request", "token is missing")
        try:
            access = await proxy.load_access_token(token)
        except AuthenticationError as error:
            return cannot_ask(request, error)
        return JSONResponse(_described(proxy, token, access), headers=NOT_STORED)

    return introspect


def _described(proxy: OpenOAuthProxy, token: str, access: AccessToken | None) -> dict[str, Any]:
    if access is None:
        return INACTIVE
    # Our own token's times and not those of the Redmine token behind it.
    try:
        times = access.claims if access.claims.get("way") == WAY else proxy.claims_of(token)
    except (JoseError, ValueError):  # it expired this moment
        return INACTIVE
    return {
        "active": True,
        "sub": access.subject,
        "username": access.claims.get("login"),
        "client_id": access.client_id,
        "scope": " ".join(scopes_elsewhere(access)),
        "exp": times.get("exp", access.expires_at),
        "iat": times["iat"],
        "iss": str(proxy.issuer_url),
        "aud": proxy.resource_url,
        "token_type": "Bearer",
    }
