"""The way in for programs that have a Redmine credential already: a header on each request.

``X-Redmine-API-Key`` or Basic, as Redmine itself takes them. ``X-Redmine-Switch-User`` is not read
here, and what we send to Redmine is never copied from a request.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from functools import partial

from fastmcp.server.auth import AccessToken, AuthProvider
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
)
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection

from redmine_mcp_core.auth.answers import cannot_ask
from redmine_mcp_core.auth.api_keys import API_KEY, BASIC, KeyVerifier, credential_of
from redmine_mcp_core.auth.guesses import Guesses
from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.settings import MCP_PATH

KEY_HEADER = "X-Redmine-API-Key"
CLIENT_ID = "header"
"""What stands for the client of such a request: it never said who it is."""
MAX_CREDENTIAL = 1024


class HeaderBackend(AuthenticationBackend):
    """Reads a Redmine credential from the request; anything else is for another backend."""

    def __init__(
        self,
        keys: KeyVerifier,
        scopes: Callable[[], Sequence[str]],
        guesses: Guesses,
        otherwise: AuthenticationBackend | None = None,
    ) -> None:
        self._keys = keys
        self._scopes = scopes
        self._guesses = guesses
        self._otherwise = otherwise

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Raises ``AuthenticationError`` when Redmine cannot be asked, or is not asked after too
        many guesses, which is no refusal."""
        # Elsewhere Basic is a client's own secret (/token), which is none of Redmine's business.
        sent = presented(conn) if conn.scope["path"] == MCP_PATH else None
        if sent is None:
            return await self._otherwise.authenticate(conn) if self._otherwise else None
        kind, secret = sent
        if not 0 < len(secret) <= MAX_CREDENTIAL:
            return None
        scopes = list(self._scopes())
        verify = partial(self._keys.verify, kind, secret, scopes=scopes, client_id=CLIENT_ID)
        try:
            if self._keys.remembers(credential_of(kind, secret)):
                token = await verify()
            else:
                token = await self._guesses.counted(conn, _whose(kind, secret), verify)
        except RedmineError as error:
            raise AuthenticationError("neither refused nor verified") from error
        if token is None:
            return None
        _take_out(conn)
        return AuthCredentials(scopes), AuthenticatedUser(token)


class HeaderAuth(AuthProvider):
    """The whole of sign-in for a server that takes headers and nothing else."""

    def __init__(
        self, keys: KeyVerifier, scopes: Sequence[str], guesses: Guesses, *, base_url: str
    ) -> None:
        super().__init__(base_url=base_url)
        self._backend = HeaderBackend(keys, lambda: scopes, guesses)

    async def verify_token(self, token: str) -> AccessToken | None:  # noqa: ARG002 - none is ours
        return None

    def get_middleware(self) -> list[Middleware]:
        return [
            Middleware(AuthenticationMiddleware, backend=self._backend, on_error=cannot_ask),
            Middleware(AuthContextMiddleware),
        ]


def _take_out(conn: HTTPConnection) -> None:
    """Take the credential out of the request: nothing behind us needs it.

    FastMCP's guard before the MCP endpoint wants to see some bearer token before it looks at whose
    request it is, so one that says nothing stands in its place.
    """
    theirs = {b"authorization", KEY_HEADER.lower().encode()}
    others = [(name, value) for name, value in conn.scope["headers"] if name not in theirs]
    conn.scope["headers"] = [*others, (b"authorization", b"Bearer verified")]


def presented(conn: HTTPConnection) -> tuple[str, str] | None:
    """The kind and the secret that a request carries, if it is one of Redmine's own."""
    scheme, _, value = conn.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return None
    if scheme.lower() == "basic":
        return BASIC, value.strip()
    key = conn.headers.get(KEY_HEADER)
    return (API_KEY, key.strip()) if key is not None else None


def _whose(kind: str, secret: str) -> str:
    """The login that a password is for; nothing for a key, which names nobody."""
    if kind != BASIC:
        return ""
    try:
        return base64.b64decode(secret).partition(b":")[0].decode("utf-8", "replace")
    except ValueError:
        return ""
