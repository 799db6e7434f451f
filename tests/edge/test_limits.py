"""Limits: shared by replicas, cheap in a flood, and never a reason to lock anybody out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, SupportsFloat

import pytest
from starlette.types import ASGIApp

from redmine_mcp_core.edge.answers import TRY_LATER
from redmine_mcp_core.edge.bodies import Bodies
from redmine_mcp_core.edge.counting import AWAY_SECONDS, SHARES, WINDOW, SharedCounts
from redmine_mcp_core.edge.forwarded import Forwarded
from redmine_mcp_core.edge.limits import (
    LIMITS,
    PATHS,
    AddressLimits,
    Area,
    CallerLimits,
    Limiter,
    Per,
    area_of,
    countable,
)
from redmine_mcp_core.edge.networks import Networks
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.storage import StoreUnavailable, memory_backend
from tests.edge.asgi import echo, http_to


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Store:
    """The counters of a memory store, which can be away, and tells how often it was asked."""

    def __init__(self, counters: Any) -> None:
        self._counters = counters
        self.asked = 0
        self.away = False
        self.hangs = False

    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("The store cannot be reached.")
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        total: int = await self._counters.increment(name, window=window, by=by)
        return total


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with memory_backend.open("memory:") as counters:
        yield Store(counters)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def counts(store: Store, clock: Clock) -> SharedCounts:
    return SharedCounts(store, clock=clock)  # type: ignore[arg-type]


async def allowed(shared: SharedCounts, limit: int, tries: int, name: str = "alice") -> int:
    return [await shared.add(name, limit) for _ in range(tries)].count(None)


@pytest.mark.parametrize("limit", [1, 5, 20, 1200])
async def test_the_limit_is_exact_on_one_replica(store: Store, clock: Clock, limit: int) -> None:
    """As many as it says pass, and not one more, until the minute is over."""
    shared = counts(store, clock)

    first = await allowed(shared, limit, limit + 50)
    clock.now += WINDOW
    again = await allowed(shared, limit, limit + 50)

    assert limit == first == again


@pytest.mark.parametrize("limit", [5, 20, 1200])
async def test_replicas_share_a_limit(store: Store, clock: Clock, limit: int) -> None:
    """Three replicas let no more than a twentieth each too many through."""
    replicas = [counts(store, clock) for _ in range(3)]
    passed = 0
    for _ in range(limit):
        for shared in replicas:
            passed += await shared.add("alice", limit) is None

    assert limit <= passed <= limit + 3 * max(1, limit // SHARES)


async def test_a_flood_costs_the_store_little(store: Store, clock: Clock) -> None:
    """Somebody beyond the limit costs it nothing, and on the way there a few questions."""
    shared = counts(store, clock)
    await allowed(shared, 1200, 1200)
    on_the_way = store.asked
    await allowed(shared, 1200, 100_000)

    assert on_the_way == SHARES
    assert store.asked == on_the_way


async def test_to_look_is_not_to_count(store: Store, clock: Clock) -> None:
    """Whether somebody is at the limit is known without counting, and ends with the minute."""
    shared = counts(store, clock)
    for _ in range(3):
        assert shared.excess("alice", 2) is None
    assert await allowed(shared, 2, 2) == 2
    excess = shared.excess("alice", 2)
    clock.now += WINDOW

    assert excess
    assert 0 < excess.seconds <= WINDOW
    assert shared.excess("alice", 2) is None


async def test_one_person_never_counts_for_another(store: Store, clock: Clock) -> None:
    """Each name has counts of its own."""
    shared = counts(store, clock)

    assert await allowed(shared, 5, 100, "alice") == 5
    assert await allowed(shared, 5, 5, "bob") == 5


async def test_a_store_that_is_away_locks_nobody_out(store: Store, clock: Clock) -> None:
    """Each replica counts for itself, and does not ask again at every request."""
    shared = counts(store, clock)
    store.away = True

    passed = await allowed(shared, 20, 50)
    asked = store.asked
    clock.now += max(AWAY_SECONDS, WINDOW)
    store.away = False
    again = await allowed(shared, 20, 50)

    assert 20 == passed == again
    assert asked == 1


async def test_a_store_that_hangs_is_not_waited_for(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request waits a moment once, and the next ones not at all."""
    monkeypatch.setattr("redmine_mcp_core.edge.counting.STORE_SECONDS", 0.01)
    store.hangs = True

    assert await allowed(counts(store, clock), 20, 50) == 20
    assert store.asked == 1


async def test_excess_tells_when_to_come_back(store: Store, clock: Clock) -> None:
    """At the end of the window; and only the first in a window is news."""
    shared = counts(store, clock)
    await shared.add("alice", 1)
    first, second = await shared.add("alice", 1), await shared.add("alice", 1)
    assert first
    assert second
    clock.now += first.seconds

    assert 0 < first.seconds <= WINDOW
    assert (first.first, second.first) == (True, False)
    assert await shared.add("alice", 1) is None


# -- The table, and who is counted -------------------------------------------------------------


def test_each_limit_has_a_setting() -> None:
    """And each kind of endpoint has a limit by address."""
    assert all(limit.setting in Settings.model_fields for limit in LIMITS)
    assert {limit.area for limit in LIMITS if limit.per is Per.ADDRESS} == set(Area)


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("/mcp", Area.CALLS),
        ("/mcp/other", Area.CALLS),
        ("/register", Area.REGISTRATION),
        ("/register/the-client", Area.REGISTRATION),
        ("/token", Area.TOKENS),
        ("/revoke", Area.TOKENS),
        ("/authorize", Area.PAGES),
        ("/auth/callback", Area.PAGES),
        ("/consent", Area.PAGES),
        ("/.well-known/oauth-authorization-server", Area.OTHER),
        ("/", Area.OTHER),
        ("/mcpx", Area.OTHER),
        ("/health", None),
        ("/ready", None),
    ],
)
def test_a_path_has_an_area(path: str, area: Area | None) -> None:
    """By its first part."""
    assert area_of(path) is area


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("", None),
    ],
)
def test_whom_an_address_counts_for(address: str, counted: str | None) -> None:
    """A whole /64 is one person's; this machine is counted by nobody."""
    assert countable({"client": (address, 1)}) == counted


# -- The two layers ----------------------------------------------------------------------------


class Token:
    def __init__(self, subject: str, client_id: str) -> None:
        self.subject, self.client_id, self.claims = subject, client_id, {"iss": "https://r"}


class User:
    def __init__(self, token: Token) -> None:
        self.access_token = token


class SignedIn:
    """Stands for authentication: ``Bearer alice@client`` is alice, with that client."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.verified = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for name, value in scope["headers"]:
            if name == b"authorization" and value.startswith(b"Bearer "):
                self.verified += 1
                user, _, client = value.decode().removeprefix("Bearer ").partition("@")
                scope["user"] = User(Token(user, client))
        await self._app(scope, receive, send)


class Edge:
    """Both layers of limits, with authentication between them."""

    def __init__(self, store: Store, clock: Clock, rates: dict[tuple[Area, Per], int]) -> None:
        self.told: list[tuple[Area, Per]] = []
        limiter = Limiter(counts(store, clock), rates, tell=lambda *limit: self.told.append(limit))
        self.signed_in = SignedIn(CallerLimits(echo, limiter))
        inner = AddressLimits(Bodies(self.signed_in), limiter)
        self.app = Forwarded(inner, trusted=Networks(["10.0.0.1"]), kind="x-forwarded")

    async def post(self, path: str, times: int = 1, **options: Any) -> Any:
        """The last of so many answers, as one peer and one user."""
        bearer, address = options.pop("bearer", None), options.pop("address", "198.51.100.7")
        headers = {"X-Forwarded-For": address, **options.pop("headers", {})}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        async with http_to(self.app, peer="10.0.0.1") as http:
            for _ in range(times):
                answer = await http.post(path, headers=headers, **options)
        return answer


async def test_a_limited_call_is_a_json_rpc_error(store: Store, clock: Clock) -> None:
    """With 429, Retry-After, and a sentence that an MCP client shows."""
    edge = Edge(store, clock, {(Area.CALLS, Per.USER): 2})

    answer = await edge.post("/mcp", 3, bearer="alice@claude")

    error = answer.json()["error"]
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= WINDOW
    assert error["code"] == TRY_LATER
    assert error["data"]["retry_after"] == int(answer.headers["Retry-After"])
    assert "Try again in" in error["message"]
    assert edge.told == [(Area.CALLS, Per.USER)]


async def test_a_limited_sign_in_is_an_oauth_error(store: Store, clock: Clock) -> None:
    """OAuth clients get the two fields they know."""
    edge = Edge(store, clock, {(Area.TOKENS, Per.ADDRESS): 1})

    answer = await edge.post("/token", 2)

    assert answer.status_code == 429
    assert set(answer.json()) == {"error", "error_description"}


async def test_a_user_is_limited_over_all_clients_and_addresses(store: Store, clock: Clock) -> None:
    """And nobody else is, though they use the same client at the same address."""
    edge = Edge(store, clock, {(Area.CALLS, Per.USER): 4})
    for number in range(4):
        await edge.post("/mcp", bearer=f"alice@client{number}", address=f"198.51.100.{number}")

    assert (await edge.post("/mcp", bearer="alice@new")).status_code == 429
    assert (await edge.post("/mcp", bearer="bob@client1")).status_code == 200


async def test_a_flooding_user_is_not_verified_again(store: Store, clock: Clock) -> None:
    """Once beyond the limit, their token is refused before anything is looked up for it."""
    edge = Edge(store, clock, {(Area.CALLS, Per.USER): 4})
    await edge.post("/mcp", 5, bearer="alice@claude")
    verified = edge.signed_in.verified

    flooding = await edge.post("/mcp", 100, bearer="alice@claude")
    clock.now += WINDOW
    later = await edge.post("/mcp", bearer="alice@claude")

    assert (flooding.status_code, later.status_code) == (429, 200)
    assert (verified, edge.signed_in.verified) == (5, 6)


async def test_areas_have_limits_of_their_own(store: Store, clock: Clock) -> None:
    """Who has registered too often still signs in and works."""
    edge = Edge(store, clock, {(area, Per.ADDRESS): 2 for area in Area})

    refused = await edge.post("/register", 3)
    others = [await edge.post(f"/{path}", 2) for path in ("mcp", "token", "authorize", "health")]

    assert refused.status_code == 429
    assert {200} == {answer.status_code for answer in others}


async def test_a_spoofed_address_does_not_help(store: Store, clock: Clock) -> None:
    """A client that invents an address for each request is counted all the same."""
    edge = Edge(store, clock, {(Area.OTHER, Per.ADDRESS): 3})
    codes = [
        (await edge.post("/", address=f"192.0.2.{number}, 198.51.100.7")).status_code
        for number in range(5)
    ]

    assert codes == [200, 200, 200, 429, 429]


async def test_no_limit_is_none(store: Store, clock: Clock) -> None:
    """0 turns a limit off."""
    edge = Edge(store, clock, {(area, per): 0 for area in Area for per in Per})

    assert (await edge.post("/mcp", 50, bearer="alice@claude")).status_code == 200
    assert store.asked == 0


@pytest.mark.parametrize("path", sorted(path for path, area in PATHS.items() if area is None))
async def test_probes_have_no_limit(store: Store, clock: Clock, path: str) -> None:
    """An operator's question is answered in a flood as well."""
    edge = Edge(store, clock, {(area, Per.ADDRESS): 1 for area in Area})

    assert (await edge.post(f"/{path}", 20)).status_code == 200
