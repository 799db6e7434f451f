"""``/connections``: who is connected as me, and a button for each."""

from __future__ import annotations

import asyncio
import re
from html import unescape

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from redmine_mcp_core.auth import connections
from redmine_mcp_core.auth.connections import least
from redmine_mcp_core.auth.cookies import Cookie
from redmine_mcp_core.storage import StoreUnavailable
from tests.auth.test_key_login import sign_in_by_key
from tests.auth.test_session_life import proxy_of, user_id
from tests.support.device_flow import NOWHERE
from tests.support.forms import Browser
from tests.support.processes import until
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    Tokens,
    authorize,
    log_in_to_redmine,
    pkce,
    redeem,
    register,
    sign_in,
    tokens_from,
)
from tests.support.signed_in import ping, sandbox_of


async def open_page(browser: Browser, server: Running, login: str = "alice") -> None:
    """Go there and sign in."""
    await browser.visit(f"{server.url}/connections")
    await browser.submit(browser.form("csrf_token"), action="approve")
    await log_in_to_redmine(browser, login, "password1234")
    assert browser.url == f"{server.url}/connections", browser.page.text[-1500:]


async def connect(server: Running, name: str, login: str = "alice") -> Tokens:
    """Sign in with a client of this name."""
    client_id = await register(server.url, client_name=name)
    verifier, challenge = pkce()
    arrived = await authorize(server.url, client_id, login, "password1234", challenge=challenge)
    return tokens_from(
        await redeem(server.url, client_id, arrived.params["code"], verifier), client_id
    )


def shown(page: httpx.Response) -> list[str]:
    """The names of the clients on the page."""
    return [unescape(name) for name in re.findall(r'<h2><bdi class="name">(.*?)</bdi>', page.text)]


def handle_of(page: httpx.Response, name: str) -> str:
    """What the button of a client sends."""
    found = re.search(rf'value="(\w+)"\s+aria-label="Disconnect {name},', page.text)
    assert found, page.text
    return found[1]


async def test_somebody_sees_their_connections_and_nobody_elses(redmine: Target) -> None:
    """Each with its name, what it may do, since when and when last; and no token of any."""
    async with running_server(redmine) as server:
        desk = await connect(server, "Desk & Co")
        await connect(server, "Bob's own", "bob")
        async with Browser(NOWHERE) as alice, Browser(NOWHERE) as bob:
            await open_page(alice, server)
            await open_page(bob, server, "bob")

            assert "Desk & Co" in shown(alice.page)
            assert "Bob's own" not in shown(alice.page)
            assert shown(bob.page) == ["Bob's own"]
            assert "It sees, changes and deletes" in alice.page.text
            assert re.search(r"\d{4}-\d\d-\d\d, \d\d:\d\d UTC", alice.page.text)
        session_id = await proxy_of(server).session_id_of(desk.access) or "?"
        assert session_id not in alice.page.text
        assert desk.client_id not in alice.page.text


async def test_disconnecting_one_ends_that_one(redmine: Target) -> None:
    """Its tokens are refused at once, and the others go on."""
    async with running_server(redmine) as server, Browser(NOWHERE) as browser:
        desk, phone = await connect(server, "Desk"), await connect(server, "Phone")
        await open_page(browser, server)
        await browser.submit(browser.form("form_token"), disconnect=handle_of(browser.page, "Desk"))

        assert "Disconnected" in browser.page.text
        assert shown(browser.page) == ["Phone"]
        assert (await ping(server, desk.access)).status_code == 401
        assert (await ping(server, phone.access)).status_code == 200


async def test_disconnecting_all(server: Running) -> None:
    """One button for those who are not sure."""
    desk, phone = await connect(server, "Desk"), await connect(server, "Phone")
    bobs = await sign_in(server.url, "bob")
    async with Browser(NOWHERE) as browser:
        await open_page(browser, server)
        await browser.submit(browser.form("all"), all="yes")

        assert shown(browser.page) == []
        assert "No client is connected as you" in browser.page.text
    assert (await ping(server, desk.access)).status_code == 401
    assert (await ping(server, phone.access)).status_code == 401
    assert (await ping(server, bobs.access)).status_code == 200


async def test_nobody_disconnects_what_is_not_theirs(server: Running) -> None:
    """A handle off another person's page does nothing on one's own."""
    alices = await connect(server, "Desk")
    await connect(server, "Bob's own", "bob")
    async with Browser(NOWHERE) as alice, Browser(NOWHERE) as bob:
        await open_page(alice, server)
        await open_page(bob, server, "bob")
        await bob.submit(bob.form("form_token"), disconnect=handle_of(alice.page, "Desk"))

        assert shown(bob.page) == ["Bob's own"]
    assert (await ping(server, alices.access)).status_code == 200


async def test_another_site_cannot_press_the_buttons(server: Running) -> None:
    """A form needs the token of the page, another person's will not do."""
    tokens = await connect(server, "Desk")
    async with Browser(NOWHERE) as alice, Browser(NOWHERE) as bob:
        await open_page(alice, server)
        await open_page(bob, server, "bob")
        forged = bob.form("form_token").fields["form_token"]
        for token in ("", forged):
            form = alice.form("form_token")
            await alice.submit(form, form_token=token, all="yes")

    assert (await ping(server, tokens.access)).status_code == 200


async def test_the_sign_in_asks_for_next_to_nothing(redmine: Target) -> None:
    """One permission to see, whose Redmine token is revoked at once; and it is no connection."""
    async with running_server(redmine) as server, Browser(NOWHERE) as browser:
        tokens = await connect(server, "Desk")
        revoked: list[str] = []
        granted: list[list[str]] = []
        proxy = proxy_of(server)
        revoke = proxy.revoke_upstream

        async def note(access_token: str) -> None:
            verified = await proxy.verifier.verify_token(access_token)
            granted.append(verified.scopes if verified else [])
            revoked.append(access_token)
            await revoke(access_token)

        proxy.revoke_upstream = note  # type: ignore[method-assign]
        await open_page(browser, server)
        await asyncio.gather(*proxy._revoking)

        assert len(await proxy.sessions.of_user(user_id(server, tokens))) == len(
            shown(browser.page)
        )
        assert granted == [["view_project"]]
        assert await proxy.verifier.verify_token(revoked[0]) is None


@pytest.mark.parametrize(
    ("offered", "asked"),
    [
        (["add_issues", "view_issues", "view_project"], ["view_project"]),
        (["add_issues", "view_wiki_pages"], ["view_wiki_pages"]),
        (["add_issues"], ["add_issues"]),
    ],
)
def test_the_least_permission_is_never_none(offered: list[str], asked: list[str]) -> None:
    """Redmine takes a token without any for one with every permission."""
    assert least(offered) == asked


async def test_the_cookie_opens_this_page_only(server: Running) -> None:
    """It is out of reach of scripts and other sites, lasts a quarter of an hour, and is no token;
    one that somebody made up is none either."""
    async with Browser(NOWHERE) as browser:
        await browser.visit(f"{server.url}/connections")
        await browser.submit(browser.form("csrf_token"), action="approve")
        browser._stop = f"{server.url}/connections"
        await log_in_to_redmine(browser, "alice", "password1234")
        assert browser.arrived
        answer = await browser._http.get(str(browser.arrived))
    cookie = next(
        value for value in answer.headers.get_list("set-cookie") if "mcp-connections" in value
    )
    name, _, value = cookie.partition(";")[0].partition("=")
    page = f"{server.url}/connections"
    async with httpx.AsyncClient() as http:
        good = await http.get(page, headers={"Cookie": f"{name}={value}"})
        forged = await http.get(page, headers={"Cookie": f"{name}=x{value}"})

    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=900"):
        assert attribute in cookie
    assert good.status_code == 200
    assert forged.status_code == 303
    assert (await ping(server, value)).status_code == 401


@pytest.mark.parametrize("https", [True, False])
def test_a_cookie_of_ours(https: bool) -> None:
    """By https no neighbouring host can plant it; and one cookie's value is no other's."""
    cookie, other = [
        Cookie(name, key=b"key", https=https, seconds=5) for name in ("mcp-one", "mcp-other")
    ]
    answer = Response()
    cookie.set(answer, "value")
    sent = answer.headers["set-cookie"]
    name, _, value = sent.partition(";")[0].partition("=")

    assert name == ("__Host-mcp-one" if https else "mcp-one")
    assert ("Secure" in sent) is https
    assert cookie.read(bringing(name, value)) == "value"
    assert cookie.read(bringing(name, f"other{value}")) is None
    assert other.read(bringing(name.replace("one", "other"), value)) is None


def bringing(name: str, value: str) -> Request:
    """A request with this cookie."""
    return Request({"type": "http", "headers": [(b"cookie", f"{name}={value}".encode())]})


async def test_the_page_forgets(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time, and at once for who signs out, the cookie opens nothing."""
    async with Browser(NOWHERE) as browser:
        await open_page(browser, server)
        cookies = dict(browser._http.cookies)
        await browser.submit(browser.form("form_token"), sign_out="yes")
        assert "You are signed out" in browser.page.text
        async with httpx.AsyncClient(cookies=cookies) as thief:
            assert (await thief.get(f"{server.url}/connections")).status_code == 303
        monkeypatch.setattr(connections, "SECONDS", 0.05)
        await browser.visit(f"{server.url}/connections")
        await browser.submit(browser.form("csrf_token"), action="approve")
        await until(lambda: asks_again(browser, server))


async def asks_again(browser: Browser, server: Running) -> bool:
    await browser.visit(f"{server.url}/connections")
    return "/consent" in browser.url


async def test_cancelling_leads_to_a_page(server: Running) -> None:
    """Somebody who would rather not is told so, and Redmine is not asked."""
    async with Browser(NOWHERE) as browser:
        await browser.visit(f"{server.url}/connections")
        assert "Sign in to see your connections" in browser.page.text
        await browser.submit(browser.form("csrf_token"), action="deny")

        assert browser.page.status_code == 403
        assert "You did not allow it" in browser.page.text
    assert sandbox_of(server).hits("/oauth/authorize") == 0


async def test_a_clients_code_opens_nothing_here(server: Running) -> None:
    """A code that was issued to a client does not sign in to the page, whoever brings it."""
    client_id = await register(server.url)
    arrived = await authorize(server.url, client_id, "bob", "password1234", challenge=pkce()[1])
    async with Browser(f"{server.url}/connections/signed-in") as browser:
        await browser.visit(f"{server.url}/connections")
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "alice", "password1234")
        assert browser.arrived
        browser._stop = NOWHERE
        await browser.visit(str(browser.arrived.copy_set_param("code", arrived.params["code"])))

        assert browser.page.status_code == 400
        assert not any("connections" in name for name in browser._http.cookies)


async def test_nobody_can_be_the_pages_own_client(server: Running) -> None:
    """Its name is no client of the authorization endpoint, and no code of its is good elsewhere."""
    async with Browser(f"{server.url}/connections/signed-in") as browser:
        await browser.visit(f"{server.url}/connections")
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "alice", "password1234")
        assert browser.arrived
        answer = await redeem(
            server.url, "redmine-mcp:pages", browser.arrived.params["code"], "verifier"
        )

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


async def test_it_works_by_key_as_well(keyed: Running) -> None:
    """Somebody without OAuth sees, by their key, what they connected by their key."""
    tokens = await sign_in_by_key(keyed, sandbox_of(keyed).api_key("alice"))
    async with Browser(NOWHERE) as browser:
        await browser.visit(f"{keyed.url}/connections")
        await browser.submit(browser.form("csrf_token"), action="approve")
        await browser.submit(browser.form("api_key"), api_key=sandbox_of(keyed).api_key("alice"))

        assert shown(browser.page) == ["Test client"]
        assert "with an API key" in browser.page.text
        await browser.submit(
            browser.form("form_token"), disconnect=handle_of(browser.page, "Test client")
        )
    assert (await ping(keyed, tokens.access)).status_code == 401


async def test_what_has_run_out_is_not_listed(server: Running) -> None:
    """A session whose tokens are gone is no connection any more."""
    tokens = await connect(server, "Desk")
    proxy = proxy_of(server)
    await proxy.forget_upstream_tokens(await proxy.session_id_of(tokens.access) or "")
    async with Browser(NOWHERE) as browser:
        await open_page(browser, server)

        assert shown(browser.page) == []


async def test_while_the_store_is_away_the_page_says_so(server: Running) -> None:
    """Nothing is called disconnected that is not."""
    tokens = await connect(server, "Desk")
    async with Browser(NOWHERE) as browser:
        await open_page(browser, server)
        store, get = server.host.store, server.host.store.get

        async def away(*_: object, **__: object) -> None:
            raise StoreUnavailable("away")

        store.get = away  # type: ignore[method-assign]
        await browser.submit(browser.form("form_token"), all="yes")
        store.get = get  # type: ignore[method-assign]

        assert browser.page.status_code == 503
        assert "cannot reach the store" in browser.page.text
    assert (await ping(server, tokens.access)).status_code == 200
