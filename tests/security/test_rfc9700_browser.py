"""RFC 9700 in a person's browser: what leaks there, is forged there, and leads elsewhere.

``docs/security-model.md`` names these tests.
"""

from __future__ import annotations

import re

import httpx

from tests.security.walk import Walk, token
from tests.support.servers import Running
from tests.support.sign_in import log_in_to_redmine
from tests.support.signed_in import sandbox_of


async def test_nothing_of_a_sign_in_is_kept_or_passed_on(walk: Walk) -> None:
    """4.2.4, 4.3: no page and no redirect with a code, a state or a token rests in a cache, and
    none of our addresses goes to another site as a referrer."""
    answer = await token(walk.server, grant_type="refresh_token", client_id="x", refresh_token="x")

    for seen in (*walk.answers, answer):
        assert "no-store" in seen.headers["cache-control"], seen.url
        assert seen.headers["referrer-policy"] in {"no-referrer", "same-origin"}, seen.url


async def test_no_redirect_repeats_a_form(walk: Walk) -> None:
    """4.12: a 307 would send on what a person filled in; these are 302 or 303."""
    redirects = [answer for answer in walk.answers if answer.is_redirect]

    assert len(redirects) >= 3
    assert {answer.status_code for answer in redirects} <= {302, 303}


async def test_no_page_can_be_framed_or_runs_a_script(server: Running, walk: Walk) -> None:
    """4.16, 4.17: neither ours nor an error's; and no page talks to another window."""
    async with walk.browser() as browser:
        await browser.visit(walk.start(client_id="nobody"))
        await browser.visit(f"{server.url}/consent?txn_id=gone")
        await browser.visit(f"{server.url}/auth/callback?code=1&state=gone")
    pages = [seen for seen in walk.answers if "text/html" in seen.headers.get("content-type", "")]

    assert len(pages) >= 4
    for page in pages:
        assert page.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert re.findall(r'(?:src|href|action)="?https?://', page.text) == []


async def test_consent_cannot_be_forged(walk: Walk) -> None:
    """4.7: it needs the token of this page and the cookie of this browser; nothing else starts the
    way to Redmine."""
    hits = sandbox_of(walk.server).hits("/oauth/authorize")
    async with walk.browser() as person, walk.browser() as attacker:
        await person.visit(walk.start())
        await attacker.visit(walk.start())
        asked, theirs = person.form("csrf_token"), attacker.form("csrf_token")
        for forged in ("", "guessed", theirs.fields["csrf_token"]):
            await person.visit(person.url)
            await person.submit(asked, csrf_token=forged, action="approve")

            assert person.page.status_code in {400, 403}, forged
        async with httpx.AsyncClient() as http:  # the right form, without the cookie
            answer = await http.post(
                f"{walk.server.url}/consent", data={**asked.fields, "action": "approve"}
            )

    assert answer.status_code in {400, 403}
    assert sandbox_of(walk.server).hits("/oauth/authorize") == hits


async def test_a_form_of_another_site_is_turned_away(walk: Walk) -> None:
    """4.7: a browser says whose form it sends."""
    async with walk.browser() as person:
        await person.visit(walk.start())
        form = person.form("csrf_token")
        answer = await person._http.post(
            person.url,
            data={**form.fields, "action": "approve"},
            headers={"Origin": "https://evil.example"},
        )

    assert answer.status_code == 403
    assert "location" not in answer.headers


async def test_a_callback_is_good_once(walk: Walk) -> None:
    """4.5, 4.7: the state of our own request to Redmine is used up by the first answer to it."""
    callback = next(str(seen.url) for seen in walk.answers if seen.url.path == "/auth/callback")
    async with walk.browser() as again:
        await again.visit(callback)

    assert again.arrived is None
    assert again.page.status_code == 400


async def test_the_sign_in_page_answers_no_script_of_another_site(walk: Walk) -> None:
    """2.6: the authorization endpoint and the pages behind it have no CORS."""
    for path in ("/authorize", "/consent", "/auth/callback"):
        async with httpx.AsyncClient(headers={"Origin": "https://evil.example"}) as http:
            answer = await http.get(f"{walk.server.url}{path}")

        assert "access-control-allow-origin" not in answer.headers, path


async def test_nobody_is_passed_on_unasked(walk: Walk) -> None:
    """4.11.2: who was signed in with this client before is asked again, whatever the client says,
    so that no link leads through us to a client's address without a person seeing a page."""
    async with walk.browser() as browser:
        browser._http.headers["Sec-Fetch-Site"] = "none"  # no other site began it
        await browser.visit(walk.start())
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "alice", "password1234")
        assert browser.arrived
        for prompt in ("none", "login", "consent"):
            browser.arrived = None
            await browser.visit(walk.start(prompt=prompt))

            assert browser.arrived is None, prompt
            assert browser.page.status_code == 200
            assert browser.form("csrf_token")
