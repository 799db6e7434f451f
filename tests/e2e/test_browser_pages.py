"""Our own pages in a real Chromium: each is walked through, looked at, and checked by axe."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e import axe
from tests.e2e.chromium import Person
from tests.e2e.test_browser import begin
from tests.support.device_flow import ask, device_client, error, poll
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import REDIRECT_URI, Tokens, pkce, redeem, sign_in, tokens_from

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.browser

BOTH = ["oauth", "key-login"]


@pytest.fixture
async def server(sandbox: Target) -> AsyncIterator[Running]:
    """Our server before a sandbox, with both ways in."""
    async with running_server(sandbox, mcp_sign_in=BOTH) as running:
        yield running


async def test_a_device(ours: Running, person: Person) -> None:
    """Enter the code, make sure of it, allow it, sign in: the device has its tokens."""
    client_id = await device_client(ours)
    asked = (await ask(ours, client_id)).json()
    page = person.page

    await page.goto(asked["verification_uri"])
    await person.inspect("device")
    await page.get_by_label("Code").fill("bbbb-bbbb")
    await person.press("Continue")
    await person.inspect("device-unknown")
    await page.get_by_label("Code").fill(asked["user_code"].lower())
    await person.press("Continue")
    await person.inspect("device-question")
    await person.press("It is mine, continue")
    await person.inspect("consent-device")
    await person.press("Allow")
    await person.log_in_to_redmine("alice")
    await person.authorize_in_redmine("/device/signed-in")
    await person.inspect("device-signed-in")

    assert "Go back to your device" in await page.locator("main").inner_text()
    assert (await poll(ours, client_id, asked["device_code"])).status_code == 200


async def test_a_device_that_is_not_mine(server: Running, person: Person) -> None:
    """One button, and the device is told."""
    client_id = await device_client(server)
    asked = (await ask(server, client_id)).json()

    await person.page.goto(asked["verification_uri_complete"])
    await person.press("It is not mine")
    await person.inspect("device-refused")

    assert error(await poll(server, client_id, asked["device_code"])) == "access_denied"


async def test_my_connections(ours: Running, person: Person) -> None:
    """Sign in, look, disconnect one, disconnect all, leave."""
    page = person.page
    for _ in range(3):
        await sign_in(ours.url)

    await page.goto(f"{ours.url}/connections")
    await person.inspect("connections-sign-in")
    await person.press("Continue")
    await person.log_in_to_redmine("alice")
    await person.authorize_in_redmine(f"{ours.url}/connections")
    assert await page.locator("h2").count() == 3
    await page.locator("summary").first.click()
    await person.inspect("connections")
    await page.get_by_role("button", name="Disconnect Test client, connected").first.click()
    await person.inspect("connections-one-ended")
    assert await page.locator("h2").count() == 2
    await person.press("Disconnect all")
    await person.inspect("connections-none")
    await person.press("Sign out of this page")
    await person.inspect("connections-signed-out")
    await page.goto(f"{ours.url}/connections")

    assert "Sign in to see your connections" in await page.locator("h1").inner_text()


async def test_a_key_without_any_script(server: Running, browser: Browser) -> None:
    """The whole sign-in by key works in a browser that runs no script."""
    person = await Person.at(browser, java_script_enabled=False)
    page = person.page
    verifier, challenge = pkce()
    client_id = await begin(person, server.url, challenge=challenge)
    await page.get_by_label("With my API key").check()
    await person.press("Allow")
    await page.get_by_label("API key").fill("0" * 40)
    await person.press("Sign in")
    assert "does not know this key" in await page.get_by_role("alert").inner_text()
    await page.get_by_label("API key").fill(server.target.sandbox.api_key("alice"))  # type: ignore[union-attr]
    tokens = await arrives(person, server, client_id, verifier, lambda: person.press("Sign in"))

    assert tokens.scopes


async def test_the_page_for_the_key(server: Running, person: Person) -> None:
    """It says where the key is to be found, and what is wrong with one."""
    await begin(person, server.url)
    await person.inspect("consent-two-ways")
    await person.page.get_by_label("With my API key").check()
    await person.press("Allow")
    await person.inspect("key")
    await person.page.get_by_label("API key").fill("0" * 40)
    await person.press("Sign in")
    await person.inspect("key-refused")

    link = person.page.get_by_role("link")
    assert await link.get_attribute("href") == f"{server.target.url}/my/account"


async def arrives(
    person: Person, server: Running, client_id: str, verifier: str, act: Any
) -> Tokens:
    """What the client gets for the code that the person brings it."""
    async with person.page.expect_request(lambda sent: sent.url.startswith(REDIRECT_URI)) as sent:
        await act()
    code = httpx.URL((await sent.value).url).params["code"]
    return tokens_from(await redeem(server.url, client_id, code, verifier), client_id)


async def test_leaving_a_client_less(server: Running, person: Person) -> None:
    """The permissions come up when they are wanted, and what was unticked is not granted."""
    page = person.page
    verifier, challenge = pkce()
    client_id = await begin(person, server.url, challenge=challenge)
    ticks = page.get_by_role("checkbox")
    assert await ticks.count() == 0  # those that are hidden are none to anybody
    await page.get_by_label("Only see", exact=False).check()
    await person.inspect("consent-only-see")
    await page.get_by_label("Only what I choose").check()
    await person.inspect("consent-choose")
    for scope in await ticks.all():
        if await scope.get_attribute("value") not in {"view_issues", "add_issues"}:
            await scope.uncheck()
    await person.press("Allow")
    await person.log_in_to_redmine("alice")
    tokens = await arrives(person, server, client_id, verifier, lambda: person.press("Authorize"))

    assert set(tokens.scopes) == {"view_issues", "add_issues"}


async def test_a_client_that_only_reads(server: Running, person: Person) -> None:
    """It is told so, and there is nothing to choose."""
    await begin(person, server.url, scope="view_issues view_private_notes")
    await person.inspect("consent-reading")

    assert await person.page.get_by_role("radio", name="Only see").count() == 0
    assert "It cannot change anything" in await person.page.locator("main").inner_text()


@pytest.mark.skipif(
    shutil.which("npm") is None,
    reason="NO ACCESSIBILITY CHECK TOOK PLACE: npm is not on PATH (apt-get install npm)",
)
async def test_axe_looks(person: Person) -> None:
    """What checks the pages above finds fault with a page that deserves it."""
    await person.page.set_content("<p style='color: #ccc'>Hardly to be read <img src='/x'></p>")

    faults = {complaint.partition(":")[0] for complaint in await axe.complaints(person.page)}

    assert {"color-contrast", "html-has-lang", "image-alt"} <= faults


async def test_the_page_for_a_problem(server: Running, person: Person) -> None:
    """It looks as the others do."""
    await person.page.goto(f"{server.url}/consent?txn_id=long-gone")
    await person.inspect("problem")
