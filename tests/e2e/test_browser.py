"""Signing in with a real Chromium, as FastMCP's own client does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastmcp import Client

from redmine_mcp_core.auth.pages.permissions import spoken
from redmine_mcp_core.auth.pages.words import Words
from tests.e2e.chromium import OAuthByPerson, Person
from tests.support.servers import Running
from tests.support.sign_in import REDIRECT_URI, pkce, register

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

CLIENT_CALLBACK = "/callback?"


async def test_a_person_signs_in(
    ours: Running, person: Person, request: pytest.FixtureRequest
) -> None:
    """A client that knows only our address ends up working in Redmine as who logged in there."""
    seen: dict[str, str] = {}

    async def steps(authorization_url: str) -> None:
        page = person.page
        await page.goto(authorization_url)
        seen["scope"] = httpx.URL(authorization_url).params["scope"]
        seen["heading"] = await page.locator("h1").inner_text()
        seen["consent"] = await page.locator("main").inner_text()
        await person.inspect(f"consent-{request.node.callspec.id}")
        await person.press("Allow")
        await person.arrives_at("/login")
        assert page.url.startswith(ours.target.url)
        await person.log_in_to_redmine("alice")
        await person.authorize_in_redmine(f"{CLIENT_CALLBACK}code=")

    oauth = OAuthByPerson(steps, client_name="Desk & Co")
    async with Client(f"{ours.url}/mcp", auth=oauth) as client:
        issue = await client.call_tool("get_issue_details", {"issue_id": 1})
        found = await client.call_tool("search_issues", {"query": "login page"})
        me = await client.read_resource("redmine://users/me")

    assert seen["heading"] == "Let Desk & Co use Redmine as you?"
    scopes = seen["scope"].split()
    seeing = [scope for scope in scopes if scope.startswith("view_")]
    changes = any(scope.startswith(("add_", "edit_", "delete_")) for scope in scopes)
    assert "view_private_notes" in seeing
    for words in (
        "It can see",
        *(spoken(Words("en"), scope) for scope in seeing),
        "It can change" if changes else "It cannot change anything",
        f"http://localhost:{oauth.redirect_port}/callback",
        ours.target.url.removeprefix("http://"),
    ):
        assert words in seen["consent"]
    assert person.complaints_about(ours.url) == []
    assert "Rework the login page" in str(issue.structured_content)
    assert "#1 " in found.content[0].text
    assert json.loads(me[0].text)["login"] == "alice"


@pytest.mark.parametrize("where", ["here", "in Redmine"])
async def test_a_person_says_no(ours: Running, person: Person, where: str) -> None:
    """Whoever presses Deny, on either page, is heard: the client learns access_denied."""

    async def steps(authorization_url: str) -> None:
        # Nobody ever grants carol just this, so a Redmine that is asked again has to ask her.
        wish = httpx.URL(authorization_url).copy_merge_params(
            {"scope": "view_issues view_changesets"}
        )
        await person.page.goto(str(wish))
        if where == "in Redmine":
            await person.press("Allow")
            await person.log_in_to_redmine("carol")
            await person.arrives_at("/oauth/authorize")
        await person.press("Deny")
        await person.arrives_at(CLIENT_CALLBACK)

    oauth = OAuthByPerson(steps)
    with pytest.raises(RuntimeError, match="Access was denied"):
        async with Client(f"{ours.url}/mcp", auth=oauth):
            pass

    assert "error=access_denied" in person.page.url
    assert person.complaints_about(ours.url) == []


async def assert_page_of_ours(person: Person, name: str, sentence: str) -> None:
    """The page says this and what to do next, in our words."""
    words = await person.page.locator("main").inner_text()
    photographs = await person.photograph(name)

    assert await person.page.locator("h1").inner_text() == "You are not signed in"
    assert sentence in words
    assert "connect again from your client" in words
    assert "fastmcp" not in (await person.page.content()).lower()
    assert all(photograph.stat().st_size > 5_000 for photograph in photographs)


async def test_a_sign_in_that_has_run_out(ours: Running, person: Person) -> None:
    """A link to a sign-in that is over leads to a page that says so."""
    await person.page.goto(f"{ours.url}/consent?txn_id=long-gone")

    await assert_page_of_ours(person, "problem-run-out", "has run out or was finished already.")


async def begin(person: Person, server: str, *, challenge: str = "", **metadata: str) -> str:
    """A client of this kind asks the person to sign in; they stand before our consent page.

    Its id, for those who go on with the challenge's verifier.
    """
    asked = {
        "response_type": "code",
        "client_id": await register(server, **metadata),
        "redirect_uri": REDIRECT_URI,
        "code_challenge": challenge or pkce()[1],
        "code_challenge_method": "S256",
    }
    await person.page.goto(f"{server}/authorize?{urlencode(asked)}")
    return asked["client_id"]


async def test_a_client_with_a_boundless_name(server: Running, person: Person) -> None:
    """A name is text, however long: it breaks, and is not taken for HTML."""
    await begin(person, server.url, client_name=f"<b>Desk</b> {'x' * 90}")

    await person.inspect("consent-long-name")

    assert "Let <b>Desk</b> xxx" in await person.page.locator("h1").inner_text()


async def test_a_sign_in_passed_on_by_somebody_else(
    ours: Running, browser: Browser, person: Person
) -> None:
    """Who finishes a sign-in that another browser began is stopped, before any code goes out."""
    await begin(person, ours.url)
    await person.press("Allow")
    await person.arrives_at("/login")
    (passed_on,) = parse_qs(urlsplit(person.page.url).query)["back_url"]
    victim = await Person.at(browser)

    await victim.page.goto(passed_on)
    await victim.log_in_to_redmine("alice")
    await victim.authorize_in_redmine("/auth/callback?")

    await assert_page_of_ours(victim, "problem-passed-on", "begun in another browser")
