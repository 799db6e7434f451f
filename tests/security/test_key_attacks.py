"""Attacks on sign-in by API key and by header."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from redmine_mcp_core.redmine import Circuit
from tests.auth.test_key_login import open_key_page, sign_in_by_key
from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import REDIRECT_URI, pkce
from tests.support.signed_in import ping, sandbox_of


async def test_a_key_is_not_planted_into_the_sign_in_of_another(keyed: Running) -> None:
    """The code for the attacker's own key finishes the attacker's own sign-in alone. Else a person
    would work, unnoticed, in the attacker's account."""
    async with Browser(REDIRECT_URI) as attacker, Browser(REDIRECT_URI) as person:
        await open_key_page(keyed, attacker, pkce()[1])
        mallory = {"api_key": sandbox_of(keyed).api_key("bob")}
        sent = await attacker._http.post(attacker.url, data=mallory)
        code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
        await open_key_page(keyed, person, pkce()[1])
        state = parse_qs(urlsplit(person.url).query)["txn_id"][0]
        await person.visit(f"{keyed.url}/auth/callback?code={code}&state={state}")

        assert person.arrived is None
        assert person.page.status_code >= 400


STRANGE_KEYS = ["a\r\nX-Redmine-Switch-User: admin", "a\0b", "a\nb", "é" * 20, "☃"]


async def test_no_strange_key_takes_redmine_away(keyed: Running) -> None:
    """A key that no header can hold is a wrong key: it is sent nowhere, and does not make the
    server believe that Redmine is away, for everybody."""
    before = sandbox_of(keyed).hits("/my/account.json")
    async with Browser(REDIRECT_URI) as anybody:
        await open_key_page(keyed, anybody, pkce()[1])
        for key in STRANGE_KEYS:
            answer = await anybody._http.post(anybody.url, data={"api_key": key})
            assert answer.status_code == 403, key

    assert keyed.host.gateway.circuit is Circuit.CLOSED
    assert sandbox_of(keyed).hits("/my/account.json") == before
    assert await sign_in_by_key(keyed, sandbox_of(keyed).api_key("bob"))


async def test_a_key_shows_in_no_address(keyed: Running) -> None:
    """Addresses stand in histories, logs and referrers: the key goes in the body of a form, and
    what follows has a code that is good once."""
    key = sandbox_of(keyed).api_key("bob")
    async with Browser(REDIRECT_URI) as person:
        await open_key_page(keyed, person, pkce()[1])
        refused = await person._http.get(person.url, params={"api_key": key})
        sent = await person._http.post(person.url, data={"api_key": key})

    assert key not in refused.text
    assert key not in sent.headers["location"]
    assert sent.status_code == 303


async def test_headers_that_contradict_are_no_way_round(sandbox: Target) -> None:
    """One credential counts, the one in ``Authorization``; a bad one is not made good by a good one
    beside it, and one that no header of ours can hold is refused as any other."""
    assert sandbox.sandbox is not None
    key = sandbox.sandbox.api_key("alice")
    wrong = base64.b64encode(b"alice:wrong").decode()
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        tries: list[dict[Any, Any]] = [
            {"Authorization": "Bearer verified", "X-Redmine-API-Key": key},
            {"Authorization": f"Basic {wrong}", "X-Redmine-API-Key": key},
            {"Authorization": "Bearer verified"},
            {b"X-Redmine-API-Key": "é".encode("latin-1")},
            {b"Authorization": "Basic é".encode("latin-1")},
            {"X-Redmine-API-Key": ""},
        ]
        for headers in tries:
            assert (await ping(server, headers=headers)).status_code == 401, headers
        assert (await ping(server, headers={"X-Redmine-API-Key": key})).status_code == 200


PAGES_OF_OTHERS: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Host": "evil.example"},
]
"""What a browser sends along for a page of another site that asks no leave (Fetch, CORS)."""


async def test_a_password_that_a_browser_remembers_serves_no_other_site(sandbox: Target) -> None:
    """Browsers send a password by themselves. They are not asked for one here, and a request that
    another site could have made is refused before Redmine hears of it."""
    assert sandbox.sandbox is not None
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "create_issue", "arguments": {"project": "alpha", "subject": "x"}},
    }
    alice = {"Authorization": f"Basic {base64.b64encode(b'alice:password1234').decode()}"}
    own = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        async with httpx.AsyncClient(headers=own | alice) as browser:
            for headers in PAGES_OF_OTHERS:
                answer = await browser.post(
                    f"{server.url}/mcp", content=json.dumps(call), headers=headers
                )
                assert answer.status_code in {400, 403, 415, 421}, headers
        nobody = await ping(server, headers={"Authorization": "Basic eDp4"})

    assert {request.method for request in sandbox.sandbox.requests} <= {"GET"}
    assert nobody.headers["www-authenticate"].startswith("Bearer")
