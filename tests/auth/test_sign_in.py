"""Signing in: from registration to the first call, and what must not work on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from fastmcp import Client
from fastmcp.server.auth.cimd import CIMDFetcher
from fastmcp.server.auth.ssrf import SSRFFetchResponse
from redmine_mcp_sandbox.seed import load_seed

from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server, sandbox_target
from tests.support.sign_in import (
    REDIRECT_URI,
    authorize,
    log_in_to_redmine,
    pkce,
    redeem,
    refresh,
    register,
    sign_in,
    tokens_from,
)
from tests.support.signed_in import ping, sandbox_of

READING = "search_project view_issues view_private_notes"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_sign_in_and_read(redmine: Target, mode: str) -> None:
    """Somebody who signs in reads issue 1 as themselves, in both protocol eras."""
    async with running_server(redmine) as server:
        tokens = await sign_in(server.url, "alice")
        async with Client(f"{server.url}/mcp", auth=tokens.access, mode=mode) as client:
            issue = await client.call_tool("get_issue_details", {"issue_id": 1})
            hits = await client.call_tool("search_issues", {"query": "login"})
            me = await client.read_resource("redmine://users/me")

    assert issue.structured_content["id"] == 1
    assert issue.content[0].text.splitlines()[1].startswith("#1 ")
    assert hits.structured_content["total"] > 0
    assert "alice" in me[0].text


async def test_no_scope_means_what_the_plugins_declare(redmine: Target) -> None:
    """Redmine alone would grant three public scopes to a client that names none."""
    async with running_server(redmine) as server:
        tokens = await sign_in(server.url, scope=None)

    assert {"view_issues", "search_project"} <= set(tokens.scopes)


async def test_an_application_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that Redmine's console made not confidential: PKCE alone shows that it is us."""
    seed = load_seed()
    public = replace(seed.oauth_applications[0], confidential=False)
    changed = replace(seed, oauth_applications=[public])
    monkeypatch.setattr("redmine_mcp_sandbox.sandbox.load_seed", lambda: changed)
    settings: dict[str, Any] = {"redmine_client_secret": None, "jwt_signing_key": "k" * 32}
    async with sandbox_target() as target, running_server(target, **settings) as server:
        tokens = await sign_in(server.url)
        refreshed = tokens_from(await refresh(server.url, tokens), tokens.client_id)
        called = await ping(server, refreshed.access)
        asked = [one for one in sandbox_of(server).requests if one.path == "/oauth/token"]

    assert called.status_code == 200
    assert len(asked) == 2
    assert not [one for one in asked if "authorization" in one.headers]


async def test_a_client_that_registered_for_less_gets_less(server: Running) -> None:
    """A client that names no scope at sign-in gets those of its registration."""
    client_id = await register(server.url, scope="view_issues")
    verifier, challenge = pkce()
    arrived = await authorize(server.url, client_id, "alice", "password1234", challenge=challenge)
    tokens = tokens_from(
        await redeem(server.url, client_id, arrived.params["code"], verifier), client_id
    )

    assert tokens.scopes == ["view_issues"]


async def test_a_scope_beyond_the_offer_never_reaches_redmine(sandbox: Target) -> None:
    """The client is told invalid_scope; Redmine would show the person a page that leads nowhere."""
    async with running_server(sandbox, redmine_scopes=["view_issues"]) as server:
        client_id = await register(server.url)
        arrived = await authorize(
            server.url,
            client_id,
            "alice",
            "password1234",
            challenge=pkce()[1],
            scope="view_issues delete_issues",
        )

        assert arrived.params["error"] == "invalid_scope"
        assert sandbox_of(server).hits("/oauth/authorize") == 0


async def test_pkce_on_both_legs(server: Running) -> None:
    """The client proves itself to us, and we prove ourselves to Redmine with a key of our own."""
    client_id = await register(server.url)
    _, challenge = pkce()
    arrived = await authorize(server.url, client_id, "alice", "password1234", challenge=challenge)
    answer = await redeem(server.url, client_id, arrived.params["code"], pkce()[0])

    upstream = [r for r in sandbox_of(server).requests if r.path == "/oauth/authorize"]
    sent = parse_qs(upstream[0].query)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_grant"
    assert sent["code_challenge_method"] == ["S256"]
    assert [challenge] != sent["code_challenge"]


async def test_a_sign_in_without_pkce_is_refused(server: Running) -> None:
    """PKCE is no option (OAuth 2.1, section 4.1.1)."""
    client_id = await register(server.url)
    params = {"response_type": "code", "client_id": client_id, "redirect_uri": REDIRECT_URI}
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/authorize", params=params)

    assert "error=invalid_request" in answer.headers.get("location", "")


async def test_a_code_is_good_for_one_of_many_redemptions(server: Running) -> None:
    """Eight redemptions at once make one sign-in."""
    client_id = await register(server.url)
    verifier, challenge = pkce()
    arrived = await authorize(server.url, client_id, "alice", "password1234", challenge=challenge)
    code = arrived.params["code"]
    answers = await asyncio.gather(
        *(redeem(server.url, client_id, code, verifier) for _ in range(8))
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_our_own_client_id_is_no_client(server: Running) -> None:
    """Everybody can read it off Redmine's address bar; it must not open a way to any address."""
    params = {
        "response_type": "code",
        "client_id": server.target.client_id,
        "redirect_uri": "https://evil.example/callback",
        "code_challenge": pkce()[1],
        "code_challenge_method": "S256",
    }
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/authorize", params=params)

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_denying_here_tells_the_client(server: Running) -> None:
    """Deny on our page sends access_denied to the client, and Redmine is never asked."""
    client_id = await register(server.url)
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(_authorize_url(server, client_id))
        await browser.submit(browser.form("csrf_token"), action="deny")

    assert browser.arrived is not None
    assert browser.arrived.params["error"] == "access_denied"
    assert sandbox_of(server).hits("/oauth/authorize") == 0


async def test_the_consent_page_says_who_asks_for_what(server: Running) -> None:
    """The page names the client, the permissions in words, and where the person is sent to."""
    client_id = await register(server.url, client_name="<b>Evil</b> & Co", scope=READING)
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(_authorize_url(server, client_id))
        page = browser.page

    assert "&lt;b&gt;Evil&lt;/b&gt; &amp; Co</bdi> use Redmine as you?" in page.text
    assert "private notes" in page.text
    assert '<dl class="permissions reading">' in page.text
    assert REDIRECT_URI in page.text
    assert "FastMCP" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe-inline" not in page.headers["content-security-policy"]


async def test_another_browser_cannot_finish_a_sign_in(server: Running) -> None:
    """Somebody who is lured to the end of a stranger's sign-in is stopped, and told why."""
    client_id = await register(server.url)
    async with Browser(f"{server.url}/auth/callback") as attacker:
        await attacker.visit(_authorize_url(server, client_id))
        await attacker.submit(attacker.form("csrf_token"), action="approve")
        await log_in_to_redmine(attacker, "alice", "password1234")
        callback = attacker.arrived
    async with Browser(REDIRECT_URI) as victim:
        await victim.visit(str(callback))

    assert victim.arrived is None
    assert victim.page.status_code == 403
    assert "begun in another browser" in victim.page.text


async def test_a_stale_link_says_so(server: Running) -> None:
    """A sign-in that has run out ends on a page with a sentence, not in a stack trace."""
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(f"{server.url}/consent?txn_id=gone")

    assert browser.page.status_code == 400
    assert "has run out or was finished already" in browser.page.text


async def test_a_locked_user_is_told_on_a_page(server: Running) -> None:
    """Redmine fails for a user who was locked between login and our first question."""
    client_id = await register(server.url)
    async with Browser(f"{server.url}/auth/callback") as browser:
        await browser.visit(_authorize_url(server, client_id))
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "dave", "password1234")
        sandbox_of(server).lock("dave")
        callback, browser._stop = browser.arrived, REDIRECT_URI
        await browser.visit(str(callback))

    assert browser.page.status_code >= 400
    assert "locked account" in browser.page.text


async def test_a_wrong_client_secret_is_told_on_a_page(sandbox: Target) -> None:
    """An operator's mistake is named, and its value is not."""
    wrong = "not-the-secret-of-this-application"
    async with (
        running_server(sandbox, redmine_client_secret=wrong) as server,
        Browser(REDIRECT_URI) as browser,
    ):
        await browser.visit(_authorize_url(server, await register(server.url)))
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "alice", "password1234")

    assert "REDMINE_CLIENT_SECRET is wrong" in browser.page.text
    assert wrong not in browser.page.text


async def test_a_client_id_metadata_document(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client may be the address of a document about it; its host is shown as vouching for it."""
    client_id = "https://client.example/oauth/metadata.json"
    document = (
        f'{{"client_id": "{client_id}", "client_name": "Documented client", '
        f'"redirect_uris": ["{REDIRECT_URI}"], "token_endpoint_auth_method": "none"}}'
    )

    async def fetch(url: str, **_: object) -> SSRFFetchResponse:
        assert url == client_id
        return SSRFFetchResponse(content=document.encode(), status_code=200, headers={})

    # The real fetch refuses loopback addresses, and a test reaches no others.
    monkeypatch.setattr(f"{CIMDFetcher.__module__}.ssrf_safe_fetch_response", fetch)
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(_authorize_url(server, client_id))
        page = browser.page.text
    verifier, challenge = pkce()
    arrived = await authorize(server.url, client_id, "bob", "password1234", challenge=challenge)
    answer = await redeem(server.url, client_id, arrived.params["code"], verifier)

    assert "client.example vouches for this client" in page
    assert answer.status_code == 200
    assert (await ping(server, answer.json()["access_token"])).status_code == 200


def _authorize_url(server: Running, client_id: str) -> str:
    params = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": pkce()[1],
        "code_challenge_method": "S256",
        "state": "the-state",
    }
    return str(httpx.URL(f"{server.url}/authorize", params=params))
