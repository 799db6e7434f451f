"""Attacks with what a service account has, and on the servers that ask us about tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth.accounts import ServiceAccounts
from tests.auth.test_forward import LOOPBACK, told, verify
from tests.auth.test_introspection import resource_server
from tests.support.servers import Running, Target, running_server
from tests.support.service_accounts import GRANT, add, ask
from tests.support.sign_in import REDIRECT_URI, ask_to_authorize, sign_in
from tests.support.signed_in import ping, sandbox_of


@pytest.fixture
async def server(sandbox: Target) -> AsyncIterator[Running]:
    """Our server, which trusts a proxy on this machine."""
    async with running_server(sandbox, mcp_trusted_proxies=LOOPBACK) as running:
        yield running


async def test_a_secret_that_leaked_leaves_nothing_behind(server: Running) -> None:
    """A new secret ends what was got with the one before, and not the tokens that were made by the
    operator."""
    accounts = ServiceAccounts(server.host.store)
    account = await add(server)
    leaked = (account.client_id, await accounts.new_secret("nightly"))
    stolen = (await ask(server, GRANT, auth=leaked)).json()["access_token"]
    own, _ = await accounts.new_token("nightly", 3600)
    before = await ping(server, stolen)
    replaced = (account.client_id, await accounts.new_secret("nightly"))
    fresh = (await ask(server, GRANT, auth=replaced)).json()["access_token"]

    assert before.status_code == 200
    assert (await ping(server, stolen)).status_code == 401
    assert (await ping(server, own)).status_code == 200
    assert (await ping(server, fresh)).status_code == 200


async def test_who_may_only_read_may_do_no_more_elsewhere(server: Running) -> None:
    """A service that goes by the scopes we tell is told those that read, and lets nothing be
    written."""
    gate = await resource_server(server)
    scopes = ("view_issues", "search_project", "add_issues", "log_time")
    await add(server, "reader", scopes=scopes, read_only=True)
    token, _ = await ServiceAccounts(server.host.store).new_token("reader", 3600)
    passed = await verify(server, token, params={"scope": "view_issues"})
    refused = await verify(server, token, params={"scope": "add_issues"})

    assert (await gate.ask(token))["scope"] == "view_issues search_project"
    assert told(passed)["x-redmine-scopes"] == "view_issues search_project"
    assert refused.status_code == 403


JUNK: list[Any] = [
    "rmcp_",
    "rmcp_" + "x" * 20_000,
    "\0",
    "é☃",
    "..",
    "a.b.c.d.e",
    "eyJhbGciOiJub25lIn0.e30.",
    "key-ticket:e30=",
    "Bearer x",
    "a b",
    "%00",
]


async def test_junk_is_no_token_wherever_it_is_shown(server: Running) -> None:
    """At introspection, at ForwardAuth and at the end of a session: never an error of ours, nothing
    said of it, and Redmine is not asked."""
    gate = await resource_server(server)
    before = len(sandbox_of(server).requests)
    for junk in JUNK:
        assert await gate.ask(junk) == {"active": False}, junk[:20]
        if junk.isprintable():
            header = {"Authorization": b"Bearer " + junk.encode()}
            assert (await verify(server, headers=header)).status_code == 401, junk[:20]
        async with httpx.AsyncClient() as http:
            form = {"token": junk, "client_id": "x"}
            assert (await http.post(f"{server.url}/revoke", data=form)).status_code == 200

    assert len(sandbox_of(server).requests) == before


async def test_no_form_brings_files(server: Running) -> None:
    """Nothing here wants one, so nothing takes them apart or keeps them."""
    gate = await resource_server(server)
    file = ("token.txt", b"x")
    answers = [
        await gate.post({}, auth=gate.auth, files={"token": file}),
        await ask(server, {}, auth=gate.auth, files={"grant_type": file}),
        await ask(server, GRANT, headers={"Content-Type": "Multipart/Form-Data; boundary=x"}),
    ]

    assert {answer.status_code for answer in answers} == {415}


async def test_an_account_is_no_person_and_no_client(server: Running) -> None:
    """It signs in to no page, refreshes nothing, begins no sign-in, asks for no device, and is
    ended by nobody from outside."""
    accounts = ServiceAccounts(server.host.store)
    account = await add(server)
    auth = (account.client_id, await accounts.new_secret("nightly"))
    token, _ = await accounts.new_token("nightly", 3600)
    bearer = {"Authorization": f"Bearer {token}"}
    person = await sign_in(server.url)
    refreshing = {"grant_type": "refresh_token", "client_id": account.client_id}
    async with httpx.AsyncClient() as http:
        page = await http.get(f"{server.url}/connections", headers=bearer)
        device = await http.post(
            f"{server.url}/device_authorization", data={"client_id": account.client_id}, auth=auth
        )
        ended = await http.post(
            f"{server.url}/revoke", data={"token": token, "client_id": account.client_id}
        )
    for refresh_token in (token, person.refresh):
        form = {**refreshing, "refresh_token": refresh_token}
        assert (await ask(server, form, auth=auth)).status_code in {400, 401}
    begun = await ask_to_authorize(server.url, account.client_id, redirect_uri=REDIRECT_URI)

    assert page.status_code == 303
    assert device.status_code == 401
    assert begun.status_code == 400
    assert ended.status_code == 200
    assert (await ping(server, token)).status_code == 200
    assert (await ping(server, person.access)).status_code == 200


async def test_nobody_asks_about_tokens_with_a_token(server: Running) -> None:
    """Introspection wants the secret: neither a token of the account that may ask nor that of a
    person stands in its place."""
    gate = await resource_server(server)
    own, _ = await ServiceAccounts(server.host.store).new_token("gate", 3600)
    person = (await sign_in(server.url)).access
    for token in (own, person):
        bearer = {"Authorization": f"Bearer {token}"}
        answer = await gate.post({"token": person}, headers=bearer)
        as_secret = await gate.post({"token": person}, auth=(gate.auth[0], token))

        assert (answer.status_code, as_secret.status_code) == (401, 401)
        assert "active" not in answer.text + as_secret.text


async def test_a_scope_that_a_client_adds_opens_nothing(server: Running) -> None:
    """Envoy hands on the client's own query, with whatever stands in it."""
    tokens = await sign_in(server.url, scope="view_issues")
    for query in (
        "scope=view_issues&scope=add_issues",
        "scope=add_issues&scope=",
        "scope=add_issues%20view_issues",
        "scope=add_issues%00",
        'scope=x"%20realm="evil',
        "scope=add_issues;scope=view_issues",
    ):
        answer = await verify(server, tokens.access, path=f"/verify?{query}")

        assert answer.status_code == 403, query
        assert "evil" not in json.dumps(dict(answer.headers))
