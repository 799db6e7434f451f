"""Sign-in by API key, for a Redmine without OAuth: a page of ours, and ordinary OAuth after it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth.api_keys import KNOWN_SECONDS, KeyTicket
from tests.auth.test_header import who
from tests.auth.test_session_life import proxy_of, revoke
from tests.auth.test_step_up import call
from tests.support.forms import Browser
from tests.support.servers import BY_KEY, Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    Tokens,
    pkce,
    redeem,
    refresh,
    register,
    tokens_from,
)
from tests.support.signed_in import ping, sandbox_of


async def open_key_page(server: Running, browser: Browser, challenge: str, **answer: str) -> str:
    """Register, ask, consent; the browser then stands before the page for the key."""
    client_id = await register(server.url)
    params = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": "the-state",
    }
    await browser.visit(str(httpx.URL(f"{server.url}/authorize", params=params)))
    await browser.submit(browser.form("csrf_token"), action="approve", **answer)
    return client_id


async def sign_in_by_key(server: Running, key: str, **answer: str) -> Tokens:
    verifier, challenge = pkce()
    async with Browser(REDIRECT_URI) as browser:
        client_id = await open_key_page(server, browser, challenge, **answer)
        await browser.submit(browser.form("api_key"), api_key=key)
        assert browser.arrived, browser.page.text[-1500:]
        assert browser.arrived.params["state"] == "the-state"
        code = browser.arrived.params["code"]
    return tokens_from(await redeem(server.url, client_id, code, verifier), client_id)


async def read(server: Running, tokens: Tokens, uri: str) -> dict[str, Any]:
    """The JSON-RPC answer to reading a resource."""
    answer = await who(server, bearer(tokens), uri=uri)
    data = next(line for line in answer.text.splitlines() if line.startswith("data: "))
    message: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return message


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access}"}


async def test_a_key_signs_in_its_user(keyed: Running) -> None:
    """From the page on it is ordinary OAuth: tokens, calls as that user, refresh, revocation."""
    tokens = await sign_in_by_key(keyed, sandbox_of(keyed).api_key("bob"))
    me = await who(keyed, bearer(tokens))
    renewed = tokens_from(await refresh(keyed.url, tokens), tokens.client_id)
    before = await ping(keyed, renewed.access)
    await revoke(keyed, renewed.access, renewed.client_id)

    assert "bob" in me.text
    assert before.status_code == 200
    assert (await ping(keyed, renewed.access)).status_code == 401


@pytest.mark.real_redmine
async def test_a_key_signs_in_at_the_real_redmine(real_redmine: Target, sandbox: Target) -> None:
    """The real Redmine knows the key of its seed, and is never asked for OAuth."""
    assert sandbox.sandbox is not None
    async with running_server(real_redmine, **BY_KEY) as server:
        tokens = await sign_in_by_key(server, sandbox.sandbox.api_key("alice"))

        assert "alice" in (await who(server, bearer(tokens))).text
        assert (await refresh(server.url, tokens)).status_code == 200


async def test_a_wrong_key_is_told_on_the_page(keyed: Running) -> None:
    """The person may try again; nothing was signed in."""
    _, challenge = pkce()
    async with Browser(REDIRECT_URI) as browser:
        await open_key_page(keyed, browser, challenge)
        await browser.submit(browser.form("api_key"), api_key="0" * 40)

        assert browser.page.status_code == 403
        assert "does not know this key" in browser.page.text
        await browser.submit(browser.form("api_key"), api_key=sandbox_of(keyed).api_key("alice"))
        assert browser.arrived


async def test_the_page_is_for_the_browser_that_consented(keyed: Running) -> None:
    """Another browser cannot bring its key into this sign-in."""
    _, challenge = pkce()
    async with Browser(REDIRECT_URI) as browser, Browser(REDIRECT_URI) as stranger:
        await open_key_page(keyed, browser, challenge)
        await stranger.visit(browser.url)
        assert stranger.page.status_code == 403
        async with httpx.AsyncClient() as http:
            posted = await http.post(browser.url, data={"api_key": "k" * 40})

    assert posted.status_code == 403


async def test_while_redmine_is_away_the_page_says_so(keyed: Running) -> None:
    """No key is called wrong that could not be checked."""
    _, challenge = pkce()
    async with Browser(REDIRECT_URI) as browser:
        await open_key_page(keyed, browser, challenge)
        sandbox_of(keyed).outage = True
        await browser.submit(browser.form("api_key"), api_key="k" * 40)

        assert browser.page.status_code == 503
        assert "does not know" not in browser.page.text


async def test_our_scopes_hold_where_redmine_has_none(keyed: Running) -> None:
    """A key is good for everything in Redmine; a client that was allowed to read only reads."""
    tokens = await sign_in_by_key(keyed, sandbox_of(keyed).api_key("alice"), limit="read")
    answer = await call(keyed, tokens, "create_issue", project="alpha", subject="New")

    assert all(scope.startswith(("view_", "search_")) for scope in tokens.scopes)
    assert answer.status_code == 403
    assert not any(seen.method == "POST" for seen in sandbox_of(keyed).requests)


async def test_the_key_rests_encrypted_and_reaches_nobody_else(keyed: Running) -> None:
    """It is in no token of the client's, and goes to Redmine as its own header."""
    key = sandbox_of(keyed).api_key("alice")
    tokens = await sign_in_by_key(keyed, key)
    await who(keyed, bearer(tokens))
    last = sandbox_of(keyed).requests[-1]
    session = await proxy_of(keyed).session_id_of(tokens.access)
    stored = await proxy_of(keyed).upstream_tokens(session or "")
    ticket = KeyTicket.read(stored.access_token) if stored else None

    assert last.headers["x-redmine-api-key"] == key
    assert "authorization" not in last.headers
    assert key not in tokens.access + tokens.refresh
    assert ticket is not None
    assert ticket.key == key
    assert key not in repr(ticket)


async def test_a_key_that_was_reset_ends_the_session(keyed: Running) -> None:
    """Redmine's refusal is ours, at the next refresh at the latest."""
    tokens = await sign_in_by_key(keyed, sandbox_of(keyed).api_key("alice"))
    sandbox_of(keyed).lock("alice")
    proxy_of(keyed).keys._known.clear()

    assert KNOWN_SECONDS <= 60
    assert (await ping(keyed, tokens.access)).status_code == 401
    assert (await refresh(keyed.url, tokens)).json()["error"] == "invalid_grant"


async def test_both_ways_on_one_server(sandbox: Target) -> None:
    """The consent page lets the person choose."""
    async with running_server(sandbox, mcp_sign_in=["oauth", "key-login"]) as server:
        _, challenge = pkce()
        async with Browser(REDIRECT_URI) as browser, Browser(REDIRECT_URI) as other:
            await open_key_page(server, browser, challenge, way="key-login")
            await open_key_page(server, other, challenge, way="oauth")

            assert browser.url.startswith(f"{server.url}/key")
            assert other.url.startswith(sandbox.url)


async def test_without_key_login_there_is_no_page(server: Running) -> None:
    """A way in that is not set is not there."""
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{server.url}/key")).status_code == 404


async def test_resources_keep_to_what_was_allowed(keyed: Running) -> None:
    """Not only tools: whatever reads Redmine for a key does so within the sign-in's scopes."""
    everything = await sign_in_by_key(keyed, sandbox_of(keyed).api_key("alice"))
    little = await sign_in_by_key(
        keyed, sandbox_of(keyed).api_key("alice"), limit="some", scope="view_project"
    )

    assert "error" not in (await read(keyed, everything, "redmine://issues/1"))
    assert "error" in (await read(keyed, little, "redmine://issues/1"))


async def test_a_server_keeps_to_its_projects(sandbox: Target) -> None:
    """With ``MCP_PROJECTS`` a key, which is good for everything, leads to those projects alone."""
    async with running_server(sandbox, mcp_projects=["beta"], **BY_KEY) as server:
        tokens = await sign_in_by_key(server, sandbox_of(server).api_key("alice"))
        active = await read(server, tokens, "redmine://projects/active")

        assert "beta" in str(active)
        assert "alpha" not in str(active)
        assert "error" in await read(server, tokens, "redmine://issues/1")
        assert "error" in await read(server, tokens, "redmine://projects/alpha")
