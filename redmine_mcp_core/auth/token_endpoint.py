"""The token endpoint: a table of grants that are ours, and FastMCP's endpoint for all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.answers import NOT_STORED, refused
from redmine_mcp_core.auth.client_auth import ClientSecret, unknown_client
from redmine_mcp_core.edge.replaying import replayed

PATH = "/token"
CLIENT_CREDENTIALS = "client_credentials"

Grant = Callable[[Request, FormData], Awaitable[Response]]
"""Answers one grant type, from the request and its form, which is read already."""


class TokenEndpoint:
    """Reads the form once and hands the request to whoever knows its grant type.

    It is an ASGI app rather than a function because FastMCP's endpoint, which gets everything that
    is not in the table, is one; that is given the body anew.
    """

    def __init__(self, grants: Mapping[str, Grant], otherwise: ASGIApp) -> None:
        self._grants = grants
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._otherwise(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await request.body()
        form = await request.form()
        grant = self._grants.get(str(form.get("grant_type")))
        if grant is None:
            await self._otherwise(scope, replayed(body, receive), send)
            return
        answer = await grant(request, form)
        await answer(scope, receive, send)


def client_credentials(accounts: ServiceAccounts, resource: Callable[[], str]) -> Grant:
    """The grant of RFC 6749, section 4.4, for service accounts.

    ``resource`` is the address that tokens are for; one may ask for no other (RFC 8707).
    """

    async def grant(request: Request, form: FormData) -> Response:
        shown = ClientSecret.presented(request.headers, form)
        account = shown and await accounts.authenticated(shown.client_id, shown.secret)
        if not account:
            return unknown_client(request.headers)
        if any(str(wanted) != resource() for wanted in form.getlist("resource")):
            return refused("invalid_target", f"Tokens of this server are for {resource()} only.")
        scopes = str(form.get("scope") or "").split() or list(account.scopes)
        if beyond := sorted(set(scopes) - set(account.scopes)):
            return refused("invalid_scope", f"This account lacks {' '.join(beyond)}.")
        token, seconds = await accounts.grant(account, scopes)
        return JSONResponse(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": seconds,
                "scope": " ".join(scopes),
            },
            headers=NOT_STORED,
        )

    return grant
