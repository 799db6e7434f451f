"""Introspection (RFC 7662): resource servers of one's own ask what a token of ours stands for."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from tests.support.servers import Running, Target, running_server
from tests.support.service_accounts import SCOPES, add
from tests.support.sign_in import Tokens, sign_in
from tests.support.signed_in import ping, redmine_token, sandbox_of

INACTIVE = {"active": False}


class ResourceServer:
    """A resource server: an account that may introspect."""

    def __init__(self, server: Running, client_id: str, secret: str) -> None:
        self._server = server
        self.auth = (client_id, secret)

    async def post(self, form: dict[str, str], **options: Any) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            return await http.post(f"{self._server.url}/introspect", data=form, **options)

    async def ask(self, token: str) -> dict[str, Any]:
        answer = await self.post({"token": token}, auth=self.auth)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return dict(answer.json())


async def resource_server(server: Running, **values: Any) -> ResourceServer:
    account = await add(server, **{"name": "gate", "introspects": True, **values})
    secret = await ServiceAccounts(server.host.store).new_secret(account.name)
    return ResourceServer(server, account.client_id, secret)


@pytest.fixture
async def gate(server: Running) -> ResourceServer:
    return await resource_server(server)


@pytest.fixture
async def tokens(server: Running) -> Tokens:
    return await sign_in(server.url, scope="view_issues search_project")


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
async def test_a_sign_in_is_described(sandbox: Target, algorithm: str) -> None:
    """Whose token it is, what for, and until when: our own token's times, nobody's secrets."""
    async with running_server(sandbox, mcp_signing_algorithm=algorithm) as server:
        gate = await resource_server(server)
        tokens = await sign_in(server.url, scope="view_issues search_project")
        said = await gate.ask(tokens.access)
        secret = redmine_token(server)

    times = {name: said.pop(name) for name in ("exp", "iat")}
    assert said.pop("scope").split() == tokens.scopes
    assert said == {
        "active": True,
        "sub": "5",
        "username": "alice",
        "client_id": tokens.client_id,
        "iss": f"{server.url}/",
        "aud": f"{server.url}/mcp",
        "token_type": "Bearer",
    }
    assert abs(times["iat"] - time.time()) < 60
    assert abs(times["exp"] - times["iat"] - 7200) < 60
    assert secret not in str(said)


async def test_a_token_of_an_account_is_described(server: Running, gate: ResourceServer) -> None:
    """An opaque token, and not the API key behind it."""
    account = await add(server)
    token, listed = await ServiceAccounts(server.host.store).new_token("nightly", 86_400)
    said = await gate.ask(token)

    assert said == {
        "active": True,
        "sub": "5",
        "username": "alice",
        "client_id": account.client_id,
        "scope": " ".join(SCOPES),
        "exp": listed.expires,
        "iat": listed.created,
        "iss": f"{server.url}/",
        "aud": f"{server.url}/mcp",
        "token_type": "Bearer",
    }


async def test_what_is_not_good_is_inactive_and_nothing_else_is_said(
    server: Running, gate: ResourceServer, tokens: Tokens
) -> None:
    """Made-up, tampered with, Redmine's own, and a refresh token, which opens nothing."""
    for token in (
        "made-up",
        f"rmcp_{'A' * 43}",
        f"{tokens.access[:-6]}AAAAAA",
        redmine_token(server),
        tokens.refresh,
    ):
        assert await gate.ask(token) == INACTIVE


async def test_a_token_is_inactive_once_its_session_is_over(
    server: Running, gate: ResourceServer, tokens: Tokens
) -> None:
    """The signature is still good; the session in the store is gone."""
    assert (await gate.ask(tokens.access))["active"]
    proxy = server.host.mcp.auth
    assert isinstance(proxy, RedmineOAuthProxy)
    session = await proxy.upstream_token_id(tokens.access, "access")
    await proxy.end_session(str(session), "test")

    assert proxy.claims_of(tokens.access)
    assert await gate.ask(tokens.access) == INACTIVE
    assert (await ping(server, tokens.access)).status_code == 401


async def test_a_revoked_token_of_an_account_is_inactive(
    server: Running, gate: ResourceServer
) -> None:
    """At the next question."""
    await add(server)
    accounts = ServiceAccounts(server.host.store)
    token, listed = await accounts.new_token("nightly", 86_400)
    assert (await gate.ask(token))["active"]
    await accounts.revoke(listed.id)

    assert await gate.ask(token) == INACTIVE


async def test_only_an_account_with_the_right_may_ask(server: Running, tokens: Tokens) -> None:
    """403 for one without it, and the token's state shows nowhere."""
    other = await resource_server(server, name="other", introspects=False)
    answers = [
        await other.post({"token": token}, auth=other.auth) for token in (tokens.access, "made-up")
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["error"] == "unauthorized_client"


async def test_a_caller_must_show_who_it_is(gate: ResourceServer, tokens: Tokens) -> None:
    """No secret, a wrong one, or a bearer token, even a good one: 401 (RFC 7662, section 2.1)."""
    form = {"token": tokens.access}
    answers = [
        await gate.post(form),
        await gate.post(form, auth=(gate.auth[0], "wrong")),
        await gate.post(form, auth=("account-0", gate.auth[1])),
        await gate.post(form, headers={"Authorization": f"Bearer {tokens.access}"}),
        await gate.post({**form, "client_id": tokens.client_id}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 5
    assert {answer.json()["error"] for answer in answers} == {"invalid_client"}


async def test_credentials_may_stand_in_the_form(gate: ResourceServer, tokens: Tokens) -> None:
    """``client_secret_post``."""
    client_id, secret = gate.auth
    form = {"token": tokens.access, "client_id": client_id, "client_secret": secret}

    assert (await gate.post(form)).json()["active"]


async def test_a_question_without_a_token_is_refused(gate: ResourceServer) -> None:
    """400, and GET is no way to ask: tokens do not belong in addresses."""
    assert (await gate.post({}, auth=gate.auth)).status_code == 400
    async with httpx.AsyncClient(auth=gate.auth) as http:
        got = await http.get(f"{gate._server.url}/introspect", params={"token": "x"})
    assert got.status_code == 405


async def test_an_outage_is_not_inactive(sandbox: Target) -> None:
    """A resource server that is told "inactive" ends a session; this answers 503 instead."""
    async with running_server(sandbox, redmine_timeout=0.5) as server:
        gate = await resource_server(server)
        tokens = await sign_in(server.url)
        sandbox_of(server).outage = True
        answer = await gate.post({"token": tokens.access}, auth=gate.auth)

    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_the_metadata_names_the_endpoint(server: Running) -> None:
    """RFC 8414."""
    async with httpx.AsyncClient() as http:
        metadata = (await http.get(f"{server.url}/.well-known/oauth-authorization-server")).json()

    assert metadata["introspection_endpoint"] == f"{server.url}/introspect"
    assert metadata["introspection_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
    ]
