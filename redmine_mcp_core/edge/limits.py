"""How many requests a minute one user, one client and one address may make.

The limits are fences against floods, not quotas: somebody who works, and an agent that works for
them, never meets one. Only ``Retry-After`` tells of them: the ``RateLimit`` headers are still a
draft (draft-ietf-httpapi-ratelimit-headers).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cachetools import LRUCache
from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.edge.answers import refuse
from redmine_mcp_core.edge.counting import Excess, SharedCounts
from redmine_mcp_core.edge.networks import holder_of, parse_address


class Area(StrEnum):
    """The endpoints, by what a flood of requests to them would cost."""

    CALLS = "calls"
    REGISTRATION = "registration"
    TOKENS = "tokens"
    PAGES = "pages"
    OTHER = "other"


class Per(StrEnum):
    """Whose requests are counted together."""

    USER = "user"
    CLIENT = "client"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Limit:
    area: Area
    per: Per
    setting: str
    """The field of ``Settings`` that holds the number a minute; 0 is no limit."""


LIMITS = (
    Limit(Area.CALLS, Per.USER, "mcp_limit_user"),
    Limit(Area.CALLS, Per.CLIENT, "mcp_limit_client"),
    Limit(Area.CALLS, Per.ADDRESS, "mcp_limit_address"),
    Limit(Area.REGISTRATION, Per.ADDRESS, "mcp_limit_registration"),
    # Not by client: its ID is public, and whoever sends it along would lock its users out.
    Limit(Area.TOKENS, Per.ADDRESS, "mcp_limit_tokens"),
    Limit(Area.PAGES, Per.ADDRESS, "mcp_limit_pages"),
    Limit(Area.OTHER, Per.ADDRESS, "mcp_limit_address"),
)
"""Every limit there is. The table in ``docs/operations.md`` is made from here."""

PATHS: Mapping[str, Area | None] = {
    "mcp": Area.CALLS,
    "register": Area.REGISTRATION,
    "token": Area.TOKENS,
    "revoke": Area.TOKENS,
    "introspect": Area.TOKENS,
    "device_authorization": Area.TOKENS,
    "authorize": Area.PAGES,
    "auth": Area.PAGES,
    "consent": Area.PAGES,
    "device": Area.PAGES,
    "key": Area.PAGES,
    "connections": Area.PAGES,
    # Who asks for these is the operator, or a proxy of theirs for each request of its own.
    "health": None,
    "ready": None,
    "metrics": None,
    "verify": None,
}
"""The area of a path, by its first part; None has no limit, and all others are ``OTHER``."""


def area_of(path: str) -> Area | None:
    return PATHS.get(path[1:].partition("/")[0], Area.OTHER)


Rates = Mapping[tuple[Area, Per], int]
"""What may be done in a minute, for each of ``LIMITS`` that is on."""
Tell = Callable[[Area, Per], None]
"""Called when somebody meets a limit, once a minute for each."""


class Limiter:
    """The counts behind both layers, and the tokens of those who are beyond their limit."""

    def __init__(self, counts: SharedCounts, rates: Rates, *, tell: Tell = lambda *_: None) -> None:
        self._counts = counts
        self._rates = rates
        self._tell = tell
        self._clock = counts.clock
        self._refused: LRUCache[bytes, float] = LRUCache(10_000)

    async def excess(self, area: Area, per: Per, whom: str) -> Excess | None:
        """Count a request; None if it may pass."""
        rate = self._rates.get((area, per), 0)
        if not rate:
            return None
        excess = await self._counts.add(f"{area}:{per}:{whom}", rate)
        if excess and excess.first:
            self._tell(area, per)
        return excess

    def refuse_token(self, scope: Scope, seconds: float) -> None:
        """Refuse whatever comes with this token for so long, without verifying it again."""
        if token := _authorization(scope):
            self._refused[_digest(token)] = self._clock() + seconds

    def seconds_refused(self, scope: Scope) -> float:
        """How long the token of a request goes on being refused; 0 if it is not."""
        token = _authorization(scope) if self._refused else None
        return self._refused.get(_digest(token), 0.0) - self._clock() if token else 0.0


class AddressLimits:
    """The outer layer: by address, before anything is read or looked up."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (area := area_of(scope["path"])) is None:
            await self._app(scope, receive, send)
            return
        seconds = self._limiter.seconds_refused(scope)
        if seconds <= 0 and (address := countable(scope)):
            excess = await self._limiter.excess(area, Per.ADDRESS, address)
            seconds = excess.seconds if excess else 0.0
        app = _too_many(scope, seconds) if seconds > 0 else self._app
        await app(scope, receive, send)


class CallerLimits:
    """The inner layer: by user and client, once the request's token is verified."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and area_of(scope["path"]) is Area.CALLS:
            for per, whom in _callers(scope):
                if excess := await self._limiter.excess(Area.CALLS, per, whom):
                    if per is Per.USER:
                        self._limiter.refuse_token(scope, excess.seconds)
                    await _too_many(scope, excess.seconds)(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def countable(scope: Scope) -> str | None:
    """Whom a request counts for; None for this machine itself.

    What comes from this machine is a client on it, or a proxy that ``MCP_TRUSTED_PROXIES`` does not
    name, whose users must not lock each other out.
    """
    text = (scope.get("client") or ("",))[0]
    address = parse_address(text)
    if address is None or address.is_loopback:
        return None
    return holder_of(text)


def _callers(scope: Scope) -> Iterator[tuple[Per, str]]:
    """The user and the client of a request whose token is verified."""
    token = getattr(scope.get("user"), "access_token", None)
    if token is not None:
        yield Per.USER, f"{(token.claims or {}).get('iss', '')} {token.subject}"
        yield Per.CLIENT, token.client_id


def _authorization(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"authorization"), None)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _too_many(scope: Scope, seconds: float) -> ASGIApp:
    message = f"Too many requests. Try again in {max(1, round(seconds))} seconds."
    return refuse(scope, 429, "too_many_requests", message, retry_after=seconds)
