"""One sandbox: its ASGI app, and the handles by which a test turns it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_sandbox import pages
from redmine_mcp_sandbox.doorkeeper import Doorkeeper
from redmine_mcp_sandbox.oauth_routes import OAuthRoutes
from redmine_mcp_sandbox.rest import rest_routes
from redmine_mcp_sandbox.seed import User, load_seed
from redmine_mcp_sandbox.world import World


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client holds after sign-in."""

    access_token: str
    refresh_token: str


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request that reached the sandbox, answered or not."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """By lower-case name."""


class Sandbox:
    """A Redmine 6.1 in memory, with made-up people and issues.

    Args:
        base_url: Where the app is reached; it stands in redirects, forms and attachment links.
        clock: Seconds since the epoch; a test's own clock makes tokens expire without waiting.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:3999",
        clock: Callable[[], float] = time.time,
    ) -> None:
        seed = load_seed()
        self.base_url = base_url.rstrip("/")
        self.outage = False
        """While true, everything is answered with 503."""
        self.requests: list[SeenRequest] = []
        self._world = World(seed, clock)
        self._doorkeeper = Doorkeeper(seed.oauth_applications, clock)
        self._application = seed.oauth_applications[0]
        oauth = OAuthRoutes(self._world, self._doorkeeper, self.base_url)
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/", _home),
                Route("/my/page", _home),
                *oauth.routes(),
                *rest_routes(self._world, self._doorkeeper, self.base_url),
            ],
            middleware=[Middleware(_Door, sandbox=self)],
            exception_handlers={404: _not_found, 405: _not_found},
        )

    @property
    def client_id(self) -> str:
        return self._application.uid

    @property
    def client_secret(self) -> str:
        return self._application.secret

    def grant(self, login: str, scopes: Iterable[str]) -> Tokens:
        """Sign a user in without a browser, for the sandbox's main OAuth application.

        Raises:
            KeyError: nobody has this login.
        """
        token = self._doorkeeper.issue(self._application, self._user(login).id, tuple(scopes))
        return Tokens(token.token, token.refresh_token)

    def api_key(self, login: str) -> str:
        """A user's API key.

        Raises:
            KeyError: nobody has this login.
        """
        return self._user(login).api_key

    def lock(self, login: str) -> None:
        """Lock a user out, as an administrator does.

        Raises:
            KeyError: nobody has this login.
        """
        self._world.locked.add(self._user(login).id)

    def unlock(self, login: str) -> None:
        """Let a locked user in again.

        Raises:
            KeyError: nobody has this login.
        """
        self._world.locked.discard(self._user(login).id)

    def revoke(self, token: str) -> None:
        """Revoke the pair that an access or refresh token belongs to.

        Raises:
            KeyError: there is no such token.
        """
        found = self._doorkeeper.find(token)
        if found is None:
            raise KeyError("no such token")
        found.revoked = True

    def expire(self, token: str) -> None:
        """Let an access token be past its two hours; its refresh token stays good.

        Raises:
            KeyError: there is no such token.
        """
        found = self._doorkeeper.find(token)
        if found is None:
            raise KeyError("no such token")
        found.expires_at = self._doorkeeper.clock()

    def hits(self, path: str) -> int:
        """How many requests have come for a path."""
        return sum(request.path == path for request in self.requests)

    def _user(self, login: str) -> User:
        user = self._world.user_by_login(login)
        if user is None:
            raise KeyError(login)
        return user


class _Door:
    """Notes every request, and keeps it out during an outage."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        path, query = request.url.path, request.url.query
        headers = dict(request.headers)
        self.sandbox.requests.append(SeenRequest(request.method, path, query, headers))
        unavailable = PlainTextResponse("Service Unavailable", 503)
        await (unavailable if self.sandbox.outage else self.app)(scope, receive, send)


async def _home(_request: Request) -> Response:
    return pages.page("Nothing to see here", "<p>The sandbox has a sign-in and an API.</p>")


async def _not_found(_request: Request, _error: Exception) -> Response:
    return pages.error_page("404", "The page you were looking for doesn't exist.", 404)
