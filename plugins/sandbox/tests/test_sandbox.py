"""The handles by which a test turns the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from redmine_mcp_sandbox import Sandbox, Tokens, plugin

from redmine_mcp_core import API_VERSION, DemoRedmine

ACCOUNT = "/my/account.json"


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox("http://redmine.test", clock)


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url=sandbox.base_url) as client:
        yield client


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access_token}"}


async def refresh(http: httpx.AsyncClient, sandbox: Sandbox, tokens: Tokens) -> httpx.Response:
    params = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    auth = (sandbox.client_id, sandbox.client_secret)
    return await http.post("/oauth/token", data=params, auth=auth)


async def test_grant_signs_in_without_a_browser(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """A granted token acts as its user, within its scopes."""
    headers = bearer(sandbox.grant("alice", ["view_issues"]))

    assert (await http.get(ACCOUNT, headers=headers)).json()["user"]["login"] == "alice"
    assert (await http.get("/issues/43.json", headers=headers)).status_code == 200
    assert (await http.get("/projects/alpha.json", headers=headers)).status_code == 403


async def test_api_key_is_not_limited(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """An API key acts as its user, without scopes."""
    headers = {"X-Redmine-API-Key": sandbox.api_key("bob")}

    assert (await http.get("/projects/gamma.json", headers=headers)).status_code == 200


async def test_token_expires_with_the_clock(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    """An access token lives two hours to the second; its refresh token outlives it."""
    tokens = sandbox.grant("alice", ["view_issues"])
    clock.now += 7199
    last_second = await http.get(ACCOUNT, headers=bearer(tokens))
    clock.now += 1
    expired = await http.get(ACCOUNT, headers=bearer(tokens))
    refreshed = await refresh(http, sandbox, tokens)

    assert last_second.status_code == 200
    assert expired.status_code == 401
    assert 'error_description="The access token expired"' in expired.headers["WWW-Authenticate"]
    assert refreshed.status_code == 200


async def test_expire_needs_no_waiting(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """An expired access token is refused, and can be refreshed."""
    tokens = sandbox.grant("alice", ["view_issues"])
    sandbox.expire(tokens.access_token)

    assert (await http.get(ACCOUNT, headers=bearer(tokens))).status_code == 401
    assert (await refresh(http, sandbox, tokens)).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_revoke_ends_the_pair(http: httpx.AsyncClient, sandbox: Sandbox, kind: str) -> None:
    """Either token revokes both."""
    tokens = sandbox.grant("alice", ["view_issues"])
    sandbox.revoke(getattr(tokens, kind))

    assert (await http.get(ACCOUNT, headers=bearer(tokens))).status_code == 401
    assert (await refresh(http, sandbox, tokens)).status_code == 400


async def test_lock_and_unlock(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """A locked user's token is a server error, as in Redmine 6.1, until the user is unlocked."""
    headers = bearer(sandbox.grant("dave", ["view_issues"]))
    sandbox.lock("dave")
    locked = await http.get(ACCOUNT, headers=headers)
    sandbox.unlock("dave")

    assert locked.status_code == 500
    assert (await http.get(ACCOUNT, headers=headers)).status_code == 200


async def test_writes_stay_in_their_sandbox(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """What is written in one sandbox is not in the next: each begins with the seed."""
    headers = {"X-Redmine-API-Key": sandbox.api_key("alice")}
    change = {"issue": {"subject": "Changed"}}
    await http.put("/issues/9.json", json=change, headers=headers)
    other = httpx.ASGITransport(Sandbox(sandbox.base_url).app)
    async with httpx.AsyncClient(transport=other, base_url=sandbox.base_url) as client:
        untouched = await client.get("/issues/9.json", headers=headers)
    changed = await http.get("/issues/9.json", headers=headers)

    assert changed.json()["issue"]["subject"] == "Changed"
    assert untouched.json()["issue"]["subject"] == "Dark theme"


async def test_writes_bear_the_time_of_the_clock(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    """A change is stamped by the sandbox's clock, and "today" is the clock's day."""
    headers = {"X-Redmine-API-Key": sandbox.api_key("alice")}
    made = await http.post(
        "/issues.json", json={"issue": {"project_id": 1, "subject": "x"}}, headers=headers
    )
    clock.now += 86_400
    await http.put("/issues/49.json", json={"issue": {"notes": "n"}}, headers=headers)
    listed = await http.get("/issues.json", params={"updated_on": "t"}, headers=headers)

    assert made.json()["issue"]["created_on"] == "2027-01-15T08:00:00Z"
    assert made.json()["issue"]["start_date"] == "2027-01-15"
    assert [one["updated_on"] for one in listed.json()["issues"]] == ["2027-01-16T08:00:00Z"]


async def test_outage(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """During an outage everything is 503, and nothing is forgotten."""
    headers = bearer(sandbox.grant("alice", ["view_issues"]))
    sandbox.outage = True
    answers = [await http.get(path, headers=headers) for path in (ACCOUNT, "/oauth/token/info")]
    sandbox.outage = False

    assert [answer.status_code for answer in answers] == [503, 503]
    assert (await http.get(ACCOUNT, headers=headers)).status_code == 200


async def test_requests_are_noted(http: httpx.AsyncClient, sandbox: Sandbox) -> None:
    """Every request is noted with its headers, answered or not."""
    await http.get("/issues/1.json", params={"include": "journals"}, headers={"X-Trace": "7"})
    sandbox.outage = True
    await http.get("/issues/1.json")

    first, second = sandbox.requests
    assert (
        first.method,
        first.path,
        first.query,
    ) == ("GET", "/issues/1.json", "include=journals")
    assert first.headers["x-trace"] == "7"
    assert second.query == ""
    assert sandbox.hits("/issues/1.json") == 2
    assert sandbox.hits("/issues.json") == 0


async def test_code_expires_after_ten_minutes(
    http: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    """A code that nobody exchanges within ten minutes is worth nothing."""
    redirect_uri = "http://127.0.0.1:8000/auth/callback"
    page = await http.get("/login")
    csrf = page.text.partition('name="authenticity_token" value="')[2].partition('"')[0]
    credentials = {"username": "alice", "password": "password1234", "authenticity_token": csrf}
    await http.post("/login", data=credentials)
    sandbox.grant("alice", ["view_issues"])
    wish = {
        "response_type": "code",
        "client_id": sandbox.client_id,
        "redirect_uri": redirect_uri,
        "scope": "view_issues",
    }
    grants = []
    for _ in range(2):
        answer = await http.get("/oauth/authorize", params=wish)
        code = httpx.URL(answer.headers["Location"]).params["code"]
        grants.append(
            {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        )
    auth = (sandbox.client_id, sandbox.client_secret)
    clock.now += 599
    in_time = await http.post("/oauth/token", data=grants[0], auth=auth)
    clock.now += 1
    late = await http.post("/oauth/token", data=grants[1], auth=auth)

    assert in_time.status_code == 200
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")


def test_unknown_logins_and_tokens_are_errors(sandbox: Sandbox) -> None:
    """A test that misspells a login or a token hears about it."""
    for act in (
        lambda: sandbox.grant("mallory", []),
        lambda: sandbox.lock("mallory"),
        lambda: sandbox.revoke("unknown"),
        lambda: sandbox.expire("unknown"),
    ):
        with pytest.raises(KeyError):
            act()


async def test_plugin_offers_a_demo() -> None:
    """The demo's client and accounts are the ones that the app knows."""
    demo = plugin.offer_demo()
    transport = httpx.ASGITransport(demo.create_app("http://127.0.0.1:4999"))
    account = demo.accounts[0]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4999") as client:
        answer = await client.get(ACCOUNT, auth=(account.login, account.password))
        refusal = await client.post(
            "/oauth/token",
            data={"grant_type": "refresh_token", "refresh_token": "unknown"},
            auth=(demo.client_id, demo.client_secret),
        )

    assert isinstance(demo, DemoRedmine)
    assert plugin.api_version == API_VERSION
    assert answer.json()["user"]["login"] == account.login
    assert refusal.json()["error"] == "invalid_grant"
