"""ForwardAuth: a reverse proxy asks whether a request may pass, and whose it is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastmcp.server.auth import AccessToken

from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.forward import ForwardAuth, identity_headers
from tests.support.servers import Running, Target, running_server
from tests.support.service_accounts import add
from tests.support.sign_in import Tokens, sign_in
from tests.support.signed_in import redmine_token, sandbox_of

NAMES = {"x-redmine-user-id", "x-redmine-login", "x-redmine-name", "x-redmine-scopes"}
LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
async def server(sandbox: Target) -> AsyncIterator[Running]:
    """Our server, which trusts a proxy on this machine."""
    async with running_server(sandbox, mcp_trusted_proxies=LOOPBACK) as running:
        yield running


@pytest.fixture
async def tokens(server: Running) -> Tokens:
    return await sign_in(server.url, scope="view_issues search_project")


async def verify(
    server: Running, token: str | None = None, *, path: str = "/verify", **options: Any
) -> httpx.Response:
    headers = {**({"Authorization": f"Bearer {token}"} if token else {})}
    async with httpx.AsyncClient(headers=headers) as http:
        return await http.request(**{"method": "GET", "url": f"{server.url}{path}", **options})


def told(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in NAMES}


async def test_a_good_token_passes_and_says_whose_it_is(server: Running, tokens: Tokens) -> None:
    """200 with the four headers, nothing to keep, and no token in any of it."""
    answer = await verify(server, tokens.access)

    assert answer.status_code == 200
    assert told(answer) == {
        "x-redmine-user-id": "5",
        "x-redmine-login": "alice",
        "x-redmine-name": "Alice Ace",
        "x-redmine-scopes": " ".join(tokens.scopes),
    }
    assert answer.headers["cache-control"] == "no-store"
    said = answer.text + str(answer.headers.multi_items())
    for secret in (tokens.access, tokens.refresh, redmine_token(server)):
        assert secret not in said


async def test_a_service_account_passes_too(server: Running) -> None:
    """Its API key shows nowhere."""
    account = await add(server)
    token, _ = await ServiceAccounts(server.host.store).new_token("nightly", 3600)
    answer = await verify(server, token)

    assert answer.headers["x-redmine-login"] == "alice"
    assert account.api_key not in str(answer.headers.multi_items())


def test_a_name_in_any_script_fits_into_a_header() -> None:
    """Percent-encoded UTF-8: no byte beyond ASCII, no line break, and it can be undone."""
    name, login = "Jürgen\r\nX-Redmine-User-Id: 1 金", "j@example.net"
    headers = identity_headers(
        AccessToken(
            token="t", client_id="c", scopes=[], claims={"login": login, "name": name}, subject=None
        )
    )

    assert re.fullmatch(r"[\x20-\x7e]+", headers["X-Redmine-Name"])
    assert unquote(headers["X-Redmine-Name"]) == name
    assert headers["X-Redmine-Login"] == login
    assert {key.lower() for key in headers} == NAMES


async def test_without_a_token_a_client_is_told_where_to_sign_in(server: Running) -> None:
    """401 with the address of the resource metadata, and no error (RFC 6750, section 3.1)."""
    answer = await verify(server)

    metadata = f"{server.url}/.well-known/oauth-protected-resource/mcp"
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == f'Bearer resource_metadata="{metadata}"'
    async with httpx.AsyncClient() as http:
        assert (await http.get(metadata)).status_code == 200


async def test_a_token_that_is_not_good_is_refused(server: Running, tokens: Tokens) -> None:
    """Made-up, Redmine's own, a refresh token, and another scheme; none is told any name."""
    answers = [
        await verify(server, token)
        for token in ("made-up", redmine_token(server), tokens.refresh, f"rmcp_{'A' * 43}")
    ]
    basic = await verify(server, headers={"Authorization": "Basic YWxpY2U6cGFzc3dvcmQxMjM0"})

    assert [answer.status_code for answer in answers] == [401] * 4
    assert all('error="invalid_token"' in answer.headers["www-authenticate"] for answer in answers)
    assert basic.status_code == 401
    assert all(told(answer) == {} for answer in [*answers, basic])


ASKED = {
    "scope=view_issues": 200,
    "scope=view_issues%20search_project": 200,
    "scope=": 200,
    "scope=add_issues": 403,
    "scope=view_issues%20add_issues": 403,
    "scope=add_issues&scope=view_issues": 403,
    "scope=view_issues&scope=add_issues": 403,
    "scope=%22%0d%0aX-Evil:1": 403,
}


async def test_a_scope_that_is_asked_for_must_be_held(server: Running, tokens: Tokens) -> None:
    """Every one of them, so that a client which can add to the query gains nothing by it."""
    answers = {
        query: await verify(server, tokens.access, path=f"/verify?{query}") for query in ASKED
    }

    assert {query: answer.status_code for query, answer in answers.items()} == ASKED
    for answer in answers.values():
        if answer.status_code == 403:
            challenge = answer.headers["www-authenticate"]
            assert re.fullmatch(
                r'Bearer error="insufficient_scope", scope="[a-z_ ]*", resource_metadata="[^"]+"',
                challenge,
            )
            assert told(answer) == {}


async def test_it_answers_any_method_and_path_below(server: Running, tokens: Tokens) -> None:
    """Envoy asks with the method and the path of the request that it guards."""
    path = "/verify/mcp/wiki?x=1"

    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        assert (await verify(server, tokens.access, path=path, method=method)).status_code == 200
        assert (await verify(server, path=path, method=method)).status_code == 401


@pytest.mark.parametrize("trusted", [[], ["10.0.0.0/8", "::1"]])
async def test_only_a_trusted_proxy_may_ask(sandbox: Target, trusted: list[str]) -> None:
    """Anybody else gets a 404, whatever they write into forwarding headers."""
    async with running_server(sandbox, mcp_trusted_proxies=trusted) as server:
        tokens = await sign_in(server.url)
        answers = [
            await verify(server, tokens.access, headers={**headers})
            for headers in (
                {},
                {"Authorization": f"Bearer {tokens.access}", "X-Forwarded-For": "10.0.0.1"},
                {"Authorization": f"Bearer {tokens.access}", "Forwarded": "for=10.0.0.1"},
            )
        ]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert all(told(answer) == {} for answer in answers)


async def test_a_proxy_that_tells_of_its_client_is_still_the_one_that_asks(
    server: Running, tokens: Tokens
) -> None:
    """It is the peer that is trusted, not the address that it forwards."""
    headers = {"Authorization": f"Bearer {tokens.access}", "X-Forwarded-For": "203.0.113.9"}

    assert (await verify(server, headers=headers)).status_code == 200


async def test_any_host_name_will_do(server: Running, tokens: Tokens) -> None:
    """A proxy asks by a name of the inner network."""
    headers = {"Authorization": f"Bearer {tokens.access}", "Host": "redmine-mcp:8000"}

    assert (await verify(server, headers=headers)).status_code == 200


async def test_an_outage_is_no_refusal(sandbox: Target) -> None:
    """503 with Retry-After while Redmine cannot be asked."""
    async with running_server(sandbox, mcp_trusted_proxies=LOOPBACK, redmine_timeout=0.5) as server:
        tokens = await sign_in(server.url)
        sandbox_of(server).outage = True
        answer = await verify(server, tokens.access)

    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_the_end_of_a_session_holds_at_the_next_question(
    server: Running, tokens: Tokens
) -> None:
    """A client that signs out is out everywhere."""
    assert (await verify(server, tokens.access)).status_code == 200
    async with httpx.AsyncClient() as http:
        form = {"token": tokens.access, "client_id": tokens.client_id}
        assert (await http.post(f"{server.url}/revoke", data=form)).status_code == 200

    assert (await verify(server, tokens.access)).status_code == 401


def test_it_can_be_asked_without_a_peer() -> None:
    """A request over a Unix socket has no address: it is nobody's, not everybody's."""
    gate = ForwardAuth(None, None, is_trusted=lambda _: False, resource_metadata="")  # type: ignore[arg-type]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/verify",
        "headers": [],
        "client": None,
    }
    asyncio.run(gate(scope, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 404
