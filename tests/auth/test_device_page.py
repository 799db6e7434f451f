"""The page where the user of a device types its code (RFC 8628): what they see, and who may not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from redmine_mcp_core.auth.device_codes import TRIES
from tests.support.device_flow import (
    NOWHERE,
    ask,
    confirm,
    device_client,
    error,
    poll,
    sign_in_there,
)
from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import log_in_to_redmine, tokens_from
from tests.support.signed_in import sandbox_of


@pytest.fixture
async def proxied(sandbox: Target) -> AsyncIterator[Running]:
    """Our server behind a proxy that tells where people come from."""
    async with running_server(sandbox, mcp_trusted_proxies=["127.0.0.1"]) as running:
        yield running


@pytest.mark.parametrize("where", ["at the question", "at the consent page", "in Redmine"])
async def test_who_refuses_is_heard(redmine: Target, where: str) -> None:
    """The device learns it, and no code of it works any more."""
    async with running_server(redmine) as server, Browser(NOWHERE) as browser:
        client_id = await device_client(server)
        # Nobody ever grants carol just this, so that Redmine asks her.
        asked = (await ask(server, client_id, scope="view_issues view_changesets")).json()
        if where == "at the question":
            await browser.visit(asked["verification_uri_complete"])
            await browser.submit(browser.form("form_token"), action="refuse")
        else:
            await confirm(browser, asked)
        if where == "at the consent page":
            await browser.submit(browser.form("csrf_token"), action="deny")
        if where == "in Redmine":
            await browser.submit(browser.form("csrf_token"), action="approve")
            await browser.submit(
                browser.form("password"), username="carol", password="password1234"
            )
            # Both Redmines have a form for each answer; the one that denies comes with _method.
            await browser.submit(browser.form("_method"))

        assert "was not connected" in browser.page.text
        assert error(await poll(server, client_id, asked["device_code"])) == "access_denied"


async def test_case_and_dashes_do_not_matter(server: Running) -> None:
    """A person types the code as they like, and is shown it as the device shows it."""
    asked = (await ask(server, await device_client(server))).json()
    typed = f" {asked['user_code'].lower().replace('-', ' ')} "
    async with Browser(NOWHERE) as browser:
        await browser.visit(f"{server.url}/device")
        await browser.submit(browser.form("user_code"), user_code=typed)

        assert asked["user_code"] in browser.page.text


async def test_the_link_alone_signs_nobody_in(proxied: Running) -> None:
    """Sections 3.3.1 and 5.4: with the code in the link, too, the page names the client and where
    it asked from, warns, and goes on only when the person says so."""
    async with Browser(NOWHERE) as browser:
        client_id = await device_client(proxied)
        headers = {"X-Forwarded-For": "203.0.113.7"}
        asked = (await ask(proxied, client_id, headers=headers)).json()
        await browser.visit(asked["verification_uri_complete"])

        assert browser.page.status_code == 200
        for said in ("Build robot", "203.0.113.7", asked["user_code"], "Has somebody sent you"):
            assert said in browser.page.text
        assert sandbox_of(proxied).hits("/oauth/authorize") == 0


async def test_another_site_cannot_press_the_button(server: Running) -> None:
    """A form without the token of this browser's page leads back to the question."""
    asked = (await ask(server, await device_client(server))).json()
    async with Browser(NOWHERE) as attacker, Browser(NOWHERE) as victim:
        await attacker.visit(asked["verification_uri_complete"])
        form = attacker.form("form_token")
        await victim.visit(asked["verification_uri"])
        await victim.submit(form, action="confirm")

        assert "Is this your device?" in victim.page.text


async def test_another_browser_cannot_finish(server: Running) -> None:
    """Somebody who is lured to the end of a stranger's sign-in connects no device."""
    client_id = await device_client(server)
    asked = (await ask(server, client_id)).json()
    async with Browser(f"{server.url}/device/signed-in") as attacker, Browser(NOWHERE) as victim:
        await sign_in_there(attacker, asked)
        await victim.visit(str(attacker.arrived))

        assert victim.page.status_code == 400
    assert error(await poll(server, client_id, asked["device_code"])) == "authorization_pending"


async def test_a_code_of_another_sign_in_is_refused(server: Running) -> None:
    """PKCE: our page takes the code that its own visit asked for and no other."""
    client_id = await device_client(server)
    first, second = [(await ask(server, client_id)).json() for _ in range(2)]
    arrived = f"{server.url}/device/signed-in"
    async with Browser(arrived) as attacker, Browser(arrived) as victim:
        await sign_in_there(attacker, first)
        await sign_in_there(victim, second)
        assert attacker.arrived
        assert victim.arrived
        forged = victim.arrived.copy_set_param("code", attacker.arrived.params["code"])
        victim._stop = NOWHERE
        await victim.visit(str(forged))

        assert victim.page.status_code == 400
    assert error(await poll(server, client_id, second["device_code"])) == "authorization_pending"


async def test_the_person_may_leave_it_less(server: Running) -> None:
    """The consent page is the ordinary one: it names the code, and its choice holds."""
    client_id = await device_client(server)
    asked = (await ask(server, client_id)).json()
    async with Browser(NOWHERE) as browser:
        await confirm(browser, asked)
        consent = browser.page.text
        await browser.submit(browser.form("csrf_token"), action="approve", limit="read")
        await log_in_to_redmine(browser, "alice", "password1234")
    tokens = tokens_from(await poll(server, client_id, asked["device_code"]), client_id)

    assert asked["user_code"] in consent
    assert all(scope.startswith(("view_", "search_", "browse_")) for scope in tokens.scopes)


@pytest.mark.parametrize("by", ["browser", "address"])
async def test_codes_cannot_be_tried_out(proxied: Running, by: str) -> None:
    """Section 5.1: a browser, and an address, may try so many codes and no more, right ones
    included."""
    asked = (await ask(proxied, await device_client(proxied))).json()
    statuses = []
    async with httpx.AsyncClient() as http:
        await http.get(asked["verification_uri"])
        for _ in range(TRIES[by]):
            if by == "address":
                http.cookies.clear()
            answer = await http.get(
                f"{proxied.url}/device?user_code=BBBB-BBBB",
                headers={"X-Forwarded-For": "203.0.113.7" if by == "address" else "127.0.0.2"},
            )
            statuses.append(answer.status_code)
        right = await http.get(
            asked["verification_uri_complete"],
            headers={"X-Forwarded-For": "203.0.113.7" if by == "address" else "127.0.0.2"},
        )

    assert set(statuses) == {400}
    assert right.status_code == 429
    assert "Too many codes were tried" in right.text
