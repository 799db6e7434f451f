"""The way in for programs that have a Redmine credential already: a header on each request.

``X-Redmine-API-Key`` or Basic, as Redmine itself takes them. ``X-Redmine-Switch-User`` is not read
here, and what we send to Redmine is never copied from a request.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from cachetools import TTLCache
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
from starlette.responses import Response

from redmine_mcp_core.auth.api_keys import API_KEY, BASIC, KeyVerifier
from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.settings import MCP_PATH

KEY_HEADER = "X-Redmine-API-Key"
CLIENT_ID = "header"
"""What stands for the client of such a request: it never said who it is."""
MAX_CREDENTIAL = 1024
GUESS_SECONDS = 60
MOST_GUESSES = 20
"""So many wrong credentials from one address, for one login, in so many seconds; then none is asked
about until that time has passed without one. Each process counts for itself."""


class HeaderBackend(AuthenticationBackend):
    """Reads a Redmine credential from the request; anything else is for another backend."""

    def __init__(
        self,
        keys: KeyVerifier,
        scopes: Callable[[], Sequence[str]],
        otherwise: AuthenticationBackend | None = None,
    ) -> None:
        self._keys = keys
        self._scopes = scopes
        self._otherwise = otherwise
        self._guesses: TTLCache[tuple[str, str], int] = TTLCache(10_000, GUESS_SECONDS)

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        """Raises ``AuthenticationError`` when Redmine cannot be asked, which is no refusal."""
        # Elsewhere Basic is a client's own secret (/token), which is none of Redmine's business.
        presented = _presented(conn) if conn.scope["path"] == MCP_PATH else None
        if presented is None:
            return await self._otherwise.authenticate(conn) if self._otherwise else None
        kind, secret = presented
        if not 0 < len(secret) <= MAX_CREDENTIAL:
            return None
        # Redmine sees our address and not theirs, and so cannot tell a guesser from everybody.
        guesser = (conn.client.host if conn.client else "", _whose(kind, secret))
        if self._guesses.get(guesser, 0) >= MOST_GUESSES:
            return None
        scopes = list(self._scopes())
        try:
            token = await self._keys.verify(kind, secret, scopes=scopes, client_id=CLIENT_ID)
        except RedmineError as error:
            raise AuthenticationError("neither refused nor verified") from error
        if token is None:
            self._guesses[guesser] = self._guesses.get(guesser, 0) + 1
            return None
        _take_out(conn)
        return AuthCredentials(scopes), AuthenticatedUser(token)


class HeaderAuth(AuthProvider):
    """The whole of sign-in for a server that takes headers and nothing else."""

    def __init__(
        self,
        keys: KeyVerifier,
        scopes: Sequence[str],
        *,
        base_url: str,
        on_error: Callable[[HTTPConnection, AuthenticationError], Response],
    ) -> None:
        super().__init__(base_url=base_url)
        self._backend = HeaderBackend(keys, lambda: scopes)
        self._on_error = on_error

    async def verify_token(self, token: str) -> AccessToken | None:  # noqa: ARG002 - none is ours
        return None

    def get_middleware(self) -> list[Middleware]:
        return [
            Middleware(AuthenticationMiddleware, backend=self._backend, on_error=self._on_error),
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


def _presented(conn: HTTPConnection) -> tuple[str, str] | None:
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
