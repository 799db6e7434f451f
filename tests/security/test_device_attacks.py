"""Attacks on the sign-in of devices (RFC 8628)."""

from __future__ import annotations

import httpx
import pytest

from redmine_mcp_core.auth import device_codes
from tests.auth.test_device_page import proxied as proxied  # a fixture
from tests.auth.test_session_life import proxy_of
from tests.support.device_flow import GRANTS, NOWHERE, ask, error, poll, sign_in_there
from tests.support.forms import Browser
from tests.support.registration import manage, registered
from tests.support.servers import Running


async def test_a_guesser_locks_out_nobody_else(
    proxied: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who tried too many codes is one address, of IPv6 one network; a socket that takes both kinds
    writes IPv4 addresses as IPv6 ones, and does not make all of them one person."""
    monkeypatch.setitem(device_codes.TRIES, "address", 2)

    async def tried(address: str) -> int:
        async with httpx.AsyncClient(headers={"X-Forwarded-For": address}) as http:
            return (await http.get(f"{proxied.url}/device?user_code=BBBB-BBBB")).status_code

    guesser = [await tried("::ffff:203.0.113.7") for _ in range(3)]
    network = [await tried(f"2001:db8:0:1::{number}") for number in range(3)]

    assert guesser == network == [400, 400, 429]
    assert await tried("203.0.113.7") == 429
    assert await tried("::ffff:203.0.113.8") == 400
    assert await tried("2001:db8:0:2::1") == 400


async def test_a_device_whose_client_is_gone_gets_nothing(server: Running) -> None:
    """Between the sign-in and the next poll the client is deleted: what waits for the device opens
    nothing, also for who registers anew."""
    client = await registered(server, grant_types=GRANTS)
    asked = (await ask(server, client["client_id"])).json()
    async with Browser(NOWHERE) as browser:
        await sign_in_there(browser, asked)
        assert "Your device is signed in" in browser.page.text
    (session,) = await proxy_of(server).sessions.of_client(client["client_id"])
    deleted = await manage(client, "DELETE")
    another = await registered(server, grant_types=GRANTS)

    assert deleted.status_code == 204
    assert await proxy_of(server).upstream_tokens(session.id) is None
    assert error(await poll(server, client["client_id"], asked["device_code"])) == "invalid_client"
    assert error(await poll(server, another["client_id"], asked["device_code"])) == "invalid_grant"


async def test_a_code_is_no_good_for_the_page_of_another_device(server: Running) -> None:
    """Somebody confirms their own device in one tab and is lured to a stranger's in another: each
    question is about its own code, and the stranger's waits on."""
    own = await registered(server, grant_types=GRANTS)
    strange = await registered(server, grant_types=GRANTS, client_name="Stranger")
    mine = (await ask(server, own["client_id"])).json()
    theirs = (await ask(server, strange["client_id"])).json()
    async with Browser(NOWHERE) as browser:
        await browser.visit(theirs["verification_uri_complete"])
        assert "Stranger" in browser.page.text
        await sign_in_there(browser, mine)

    assert (await poll(server, own["client_id"], mine["device_code"])).status_code == 200
    waiting = await poll(server, strange["client_id"], theirs["device_code"])
    assert error(waiting) == "authorization_pending"
