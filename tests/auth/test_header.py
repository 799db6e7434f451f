"""A Redmine credential in a header of each request."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from tests.support.servers import WITHOUT_OAUTH, Running, Target, running_server
from tests.support.sign_in import sign_in
from tests.support.signed_in import ping, sandbox_of

CREDENTIALS = ["key", "basic"]


@pytest.fixture
async def headed(sandbox: Target) -> AsyncIterator[Running]:
    """A server that takes headers beside OAuth."""
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as running:
        yield running


def presented(server: Running, kind: str, login: str = "alice") -> dict[str, str]:
    if kind == "key":
        return {"X-Redmine-API-Key": sandbox_of(server).api_key(login)}
    return basic(login, "password1234")


def basic(login: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


async def who(
    server: Running, headers: Mapping[str, str], *, uri: str = "redmine://users/me"
) -> httpx.Response:
    """Read a resource: who one is, unless another is named."""
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/mcp",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "resources/read",
                "params": {"uri": uri},
            },
            headers={
                **headers,
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )


@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_a_credential_is_its_user(headed: Running, kind: str) -> None:
    """Each request runs as whom its header belongs to, beside those who signed in."""
    signed_in = await sign_in(headed.url, "bob")

    assert "alice" in (await who(headed, presented(headed, kind))).text
    assert (await ping(headed, signed_in.access)).status_code == 200


@pytest.mark.real_redmine
@pytest.mark.parametrize("kind", CREDENTIALS)
async def test_a_credential_at_the_real_redmine(
    real_redmine: Target, sandbox: Target, kind: str
) -> None:
    """The real Redmine knows it, and refuses another."""
    assert sandbox.sandbox is not None
    key = {"X-Redmine-API-Key": sandbox.sandbox.api_key("alice")}
    headers = key if kind == "key" else basic("alice", "password1234")
    wrong = {"X-Redmine-API-Key": "0" * 40} if kind == "key" else basic("alice", "wrong-password")
    async with running_server(real_redmine, mcp_sign_in=["header"]) as server:
        assert "alice" in (await who(server, headers)).text
        assert (await who(server, wrong)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Redmine-API-Key": "0" * 40},
        {"X-Redmine-API-Key": ""},
        {"X-Redmine-API-Key": "k" * 5000},
        basic("alice", "wrong-password"),
        {"Authorization": "Basic not-base64"},
        {"Authorization": "Basic"},
        {},
    ],
    ids=["unknown", "empty", "long", "password", "garbled", "bare", "none"],
)
async def test_an_unknown_credential_is_refused(headed: Running, headers: dict[str, str]) -> None:
    """Redmine itself would answer as anonymous; we answer 401."""
    assert (await who(headed, headers)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "error", "told"),
    [
        ({"X-Redmine-API-Key": "0" * 40}, "invalid_token", "API key"),
        ({"X-Redmine-API-Key": "k" * 5000}, "invalid_token", "API key"),
        (basic("alice", "wrong-password"), "invalid_token", "password"),
        ({}, "unauthorized", "X-Redmine-API-Key"),
        ({}, "unauthorized", "OAuth"),
    ],
    ids=["key", "long", "password", "none-key", "none-oauth"],
)
async def test_a_refusal_says_why(
    headed: Running, headers: dict[str, str], error: str, told: str
) -> None:
    """A client that shows the body of a 401 shows what to do, and no secret; the challenge beside
    it names no error, as no bearer token was sent (RFC 6750, section 3.1)."""
    answer = await who(headed, headers)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == error
    assert told in answer.json()["error_description"]
    assert "wrong-password" not in answer.text
    assert "resource_metadata=" in answer.headers["www-authenticate"]
    assert "error=" not in answer.headers["www-authenticate"]


async def test_a_refusal_names_the_ways_in_that_there_are(server: Running) -> None:
    """A server with OAuth alone speaks of no key, whatever was sent."""
    answer = await who(server, presented(server, "key"))

    assert answer.json()["error"] == "unauthorized"
    assert "OAuth" in answer.json()["error_description"]
    assert "X-Redmine-API-Key" not in answer.text


async def test_it_is_checked_once(headed: Running) -> None:
    """Redmine is asked whose a credential is at the first request, and not at the next ones."""
    for _ in range(3):
        await ping(headed, headers=presented(headed, "key"))

    assert sandbox_of(headed).hits("/my/account.json") == 1


async def test_guessing_costs_redmine_little(headed: Running) -> None:
    """An unknown credential is remembered as such for some seconds."""
    for _ in range(3):
        await who(headed, {"X-Redmine-API-Key": "0" * 40})

    assert sandbox_of(headed).hits("/my/account.json") == 1


async def test_nobody_is_switched_to(headed: Running) -> None:
    """``X-Redmine-Switch-User`` and whatever else a client sends never reaches Redmine."""
    headers = {**presented(headed, "key"), "X-Redmine-Switch-User": "bob", "X-Strange": "1"}
    answer = await who(headed, headers)

    assert "alice" in answer.text
    assert not any(
        {"x-redmine-switch-user", "x-strange"} & set(seen.headers)
        for seen in sandbox_of(headed).requests
    )


async def test_an_outage_is_no_refusal(headed: Running) -> None:
    """While Redmine is away the answer is 503 with Retry-After."""
    sandbox_of(headed).outage = True
    answer = await who(headed, presented(headed, "key"))

    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_headers_are_not_taken_unless_set(server: Running) -> None:
    """A server with OAuth alone takes no key from a header."""
    assert (await who(server, presented(server, "key"))).status_code == 401


async def test_headers_alone(sandbox: Target) -> None:
    """A server with headers alone has no authorization server, and needs no application."""
    async with running_server(sandbox, mcp_sign_in=["header"], **WITHOUT_OAUTH) as server:
        assert "alice" in (await who(server, presented(server, "basic"))).text
        unknown = (await who(server, {})).json()["error_description"]
        assert "X-Redmine-API-Key" in unknown
        assert "OAuth" not in unknown
        async with httpx.AsyncClient() as http:
            for path in ("/register", "/token", "/.well-known/oauth-authorization-server"):
                assert (await http.get(f"{server.url}{path}")).status_code == 404


async def test_a_clients_secret_is_not_taken_for_a_password(headed: Running) -> None:
    """Basic is Redmine's at the MCP endpoint alone: at /token it is a client's own secret."""
    async with httpx.AsyncClient() as http:
        await http.post(
            f"{headed.url}/token",
            data={"grant_type": "client_credentials"},
            headers=basic("some-client", "its-secret-0000000"),
        )

    assert sandbox_of(headed).requests == []
