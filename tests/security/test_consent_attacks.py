"""Attacks on the page where a person allows, and by links that lead through it."""

from __future__ import annotations

import httpx
import pytest

from tests.auth.test_session_life import proxy_of
from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    authorization_url,
    begin,
    log_in_to_redmine,
    pkce,
    redeem,
    register,
)

EVIL = "https://evil.example/phishing"


HTML = {"Accept": "text/html"}


async def test_who_allows_to_read_is_not_made_to_allow_more(redmine: Target) -> None:
    """A client that knows its own transaction learns, in a browser of its own, the address at
    Redmine; it lures the person, who allowed reading, to that one. What Redmine then grants beyond
    the person's choice signs nobody in."""
    async with (
        running_server(redmine) as server,
        Browser(REDIRECT_URI) as attacker,
        Browser(REDIRECT_URI) as person,
    ):
        consent, _ = await begin(server.url, await register(server.url), pkce()[1])
        answers = []
        for browser, limit in ((attacker, "all"), (person, "read")):
            await browser.visit(consent)
            allowed = {**browser.form("csrf_token").fields, "action": "approve", "limit": limit}
            answers.append(await browser._http.post(consent, data=allowed))
        for_everything, to_read = (answer.headers["location"] for answer in answers)
        await person.visit(for_everything)
        await log_in_to_redmine(person, "alice", "password1234")

        assert len(for_everything) > len(to_read)
        assert person.arrived is None
        assert person.page.status_code >= 400
        assert "more than was allowed" in person.page.text


async def test_a_form_widens_nothing(server: Running) -> None:
    """Neither by a scope that was not asked for nor by one that was not offered."""
    client_id = await register(server.url)
    verifier, challenge = pkce()
    consent, _ = await begin(server.url, client_id, challenge, scope="view_issues")
    async with Browser(REDIRECT_URI) as person:
        await person.visit(consent)
        ticked = ["view_issues", "delete_issues", "admin"]
        form = person.form("csrf_token")
        await person.submit(form, action="approve", limit="some", scope=ticked, way="key-login")
        await log_in_to_redmine(person, "alice", "password1234")
        assert person.arrived
        code = person.arrived.params["code"]
    answer = await redeem(server.url, client_id, code, verifier)

    assert answer.json()["scope"] == "view_issues"


async def test_a_form_that_is_not_ours_changes_nothing(server: Running) -> None:
    """Not even the scopes of a sign-in whose number somebody knows."""
    _, txn_id = await begin(server.url, await register(server.url), pkce()[1])
    before = await proxy_of(server).transaction(txn_id)
    forged = {"txn_id": txn_id, "action": "approve", "limit": "some", "scope": "view_issues"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{server.url}/consent", data=forged)

    assert answer.status_code in {400, 403}
    assert await proxy_of(server).transaction(txn_id) == before


async def test_no_link_to_the_callback_leads_to_a_stranger(server: Running) -> None:
    """Anybody may register any https address and begin a sign-in. A link with an error to our
    callback takes nobody there who has not seen our page in this browser."""
    client_id = await register(server.url, redirect_uris=[EVIL])
    _, txn_id = await begin(server.url, client_id, pkce()[1], redirect_uri=EVIL)
    link = {"error": "access_denied", "error_description": "Log in again", "state": txn_id}
    async with httpx.AsyncClient(headers=HTML) as victim:
        answer = await victim.get(f"{server.url}/auth/callback", params=link)

    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "Log in again" not in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "bogus"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"resource": "https://other.example/mcp"},
    ],
)
async def test_no_wrong_request_leads_to_a_stranger(server: Running, wrong: dict[str, str]) -> None:
    """An error of the authorization endpoint takes a person to no other site by itself."""
    client_id = await register(server.url, redirect_uris=[EVIL])
    link = authorization_url(server.url, client_id, pkce()[1], **{"redirect_uri": EVIL, **wrong})
    async with httpx.AsyncClient(headers=HTML) as victim:
        answer = await victim.get(link)

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "evil.example" not in answer.text
