"""The device flow (RFC 8628): a machine without a browser, and its user with one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import device_codes
from redmine_mcp_core.auth.client_metadata import DEVICE_GRANT
from redmine_mcp_core.auth.device_codes import LIFETIME, TRIES, DeviceCodes
from redmine_mcp_core.storage.memory import MemoryStore
from tests.auth.test_key_login import JWT_KEY
from tests.auth.test_session_life import proxy_of, revoke, user_id
from tests.connect.people import Clicking, connected
from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import Tokens, log_in_to_redmine, refresh, register, tokens_from
from tests.support.signed_in import ping, sandbox_of

GRANTS = ["authorization_code", "refresh_token", DEVICE_GRANT]
NOWHERE = "http://nowhere.invalid/"
"""The flow ends on a page of ours: the browser is sent to no client."""


@pytest.fixture
async def proxied(sandbox: Target) -> AsyncIterator[Running]:
    """Our server behind a proxy that tells where people come from."""
    async with running_server(sandbox, mcp_trusted_proxies=["127.0.0.1"]) as running:
        yield running


async def device_client(server: Running, **metadata: Any) -> str:
    told = {"grant_types": GRANTS, "client_name": "Build robot"}
    return await register(server.url, **{**told, **metadata})


async def ask(server: Running, client_id: str, /, **form: Any) -> httpx.Response:
    """The device asks for its codes."""
    headers = form.pop("headers", {})
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/device_authorization",
            data={"client_id": client_id} | form,
            headers=headers,
        )


async def poll(server: Running, client_id: str, device_code: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/token",
            data={"grant_type": DEVICE_GRANT, "client_id": client_id, "device_code": device_code},
        )


def error(answer: httpx.Response) -> str:
    assert answer.status_code in {400, 401}, answer.text
    return str(answer.json()["error"])


async def confirm(browser: Browser, asked: dict[str, Any]) -> None:
    """Open the complete link and say that it is one's own device."""
    await browser.visit(asked["verification_uri_complete"])
    await browser.submit(browser.form("form_token"), action="confirm")


async def sign_in_there(
    browser: Browser, asked: dict[str, Any], login: str = "alice", **answer: str
) -> None:
    """The whole way of the person; they end on our page."""
    await confirm(browser, asked)
    await browser.submit(browser.form("csrf_token"), action="approve", **answer)
    await log_in_to_redmine(browser, login, "password1234")


async def signed_in_device(server: Running, login: str = "alice", **metadata: Any) -> Tokens:
    """A device that its user has signed in."""
    client_id = await device_client(server, **metadata)
    asked = (await ask(server, client_id)).json()
    async with Browser(NOWHERE) as browser:
        await sign_in_there(browser, asked, login)
        assert "Your device is signed in" in browser.page.text, browser.page.text
    return tokens_from(await poll(server, client_id, asked["device_code"]), client_id)


async def test_a_device_signs_in_by_its_users_browser(redmine: Target) -> None:
    """It gets an ordinary session: tokens that work, are refreshed, and are revoked."""
    async with running_server(redmine) as server:
        tokens = await signed_in_device(server)
        renewed = tokens_from(await refresh(server.url, tokens), tokens.client_id)
        listed = await proxy_of(server).sessions.of_user(user_id(server, renewed))
        worked = await ping(server, renewed.access)
        await revoke(server, renewed.access, renewed.client_id)

        assert worked.status_code == 200
        assert tokens.client_id in {session.client_id for session in listed}
        assert (await ping(server, renewed.access)).status_code == 401


async def test_what_a_device_is_told(server: Running) -> None:
    """RFC 8628, section 3.2: codes, where to go, how long, and how often to ask."""
    answer = await ask(server, await device_client(server))
    told = answer.json()

    page = f"{server.url}/device"
    assert told["verification_uri"] == page
    assert told["verification_uri_complete"] == f"{page}?user_code={told['user_code']}"
    assert (told["expires_in"], told["interval"]) == (600, 5)
    assert len(told["user_code"]) == 9
    assert set(told["user_code"].replace("-", "")) <= set(device_codes.LETTERS)
    assert answer.headers["cache-control"] == "no-store"


async def test_the_metadata_names_the_endpoint_and_the_grant(server: Running) -> None:
    """RFC 8628, section 4."""
    async with httpx.AsyncClient() as http:
        address = f"{server.url}/.well-known/oauth-authorization-server"
        metadata = (await http.get(address)).json()

    assert metadata["device_authorization_endpoint"] == f"{server.url}/device_authorization"
    assert DEVICE_GRANT in metadata["grant_types_supported"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"scope": "view_issues fly"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example/mcp"}, "invalid_target"),
        ({"client_id": "nobody"}, "invalid_client"),
    ],
)
async def test_what_a_device_may_not_ask_for(
    server: Running, form: dict[str, str], problem: str
) -> None:
    """A permission that there is not, a token for another server, a client nobody knows."""
    assert error(await ask(server, await device_client(server), **form)) == problem


async def test_a_client_needs_the_grant(server: Running) -> None:
    """A client that registered for the browser only gets no device code, and redeems none."""
    client_id = await register(server.url)

    assert error(await ask(server, client_id)) == "unauthorized_client"
    assert error(await poll(server, client_id, "any")) == "unauthorized_client"


async def test_the_tokens_are_given_out_once() -> None:
    """Of eight polls at once exactly one gets them, and none after it."""

    class Obliging(MemoryStore):
        """A store that lets others go first."""

        async def delete(self, key: str, *, collection: str | None = None) -> bool:
            await asyncio.sleep(0)
            return await super().delete(key, collection=collection)

    codes = DeviceCodes(Obliging())
    device_code, request = await codes.ask("client", [], "")
    await codes.answer(request, {"access_token": "token", "expires_in": 60})
    answers = await asyncio.gather(*(codes.poll(device_code, "client") for _ in range(8)))

    assert len([answer for answer in answers if isinstance(answer, dict)]) == 1
    assert await codes.poll(device_code, "client") == "invalid_grant"


async def test_a_request_is_settled_once() -> None:
    """Who refuses in one window cannot allow it in another, nor the other way round."""
    codes = DeviceCodes(MemoryStore())
    device_code, request = await codes.ask("client", [], "")

    assert await codes.answer(request, None)
    assert not await codes.answer(request, {"access_token": "token", "expires_in": 60})
    assert await codes.poll(device_code, "client") == "access_denied"


async def test_a_device_code_is_for_its_client(server: Running) -> None:
    """Another client that has learnt it gets nothing, and takes nothing away."""
    client_id, stranger = await device_client(server), await device_client(server)
    asked = (await ask(server, client_id)).json()
    async with Browser(NOWHERE) as browser:
        await sign_in_there(browser, asked)

    assert error(await poll(server, stranger, asked["device_code"])) == "invalid_grant"
    assert (await poll(server, client_id, asked["device_code"])).status_code == 200


async def test_a_device_that_polls_too_fast_is_slowed_down(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section 3.5: each time the interval grows by five seconds, for good."""
    client_id = await device_client(server)
    device_code = (await ask(server, client_id)).json()["device_code"]
    clock = Clock(monkeypatch)
    told = []
    for seconds in (0, 2, 7, 14.9, 15):
        clock.pass_by(seconds)
        told.append(error(await poll(server, client_id, device_code)))

    pending, slower = "authorization_pending", "slow_down"
    assert told == [pending, slower, slower, pending, pending]


class Clock:
    """The time as the device codes see it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time()
        monkeypatch.setattr(device_codes, "time", self)

    def time(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


async def test_a_code_runs_out(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten minutes neither the device nor its user can do anything with theirs."""
    client_id = await device_client(server)
    asked = (await ask(server, client_id)).json()
    Clock(monkeypatch).pass_by(LIFETIME + 1)
    async with Browser(NOWHERE) as browser:
        await browser.visit(asked["verification_uri_complete"])

        assert "has run out" in browser.page.text
    assert error(await poll(server, client_id, asked["device_code"])) == "expired_token"


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


async def test_a_device_signs_in_by_key(sandbox: Target) -> None:
    """It works where Redmine has no OAuth as well."""
    async with (
        running_server(
            sandbox,
            mcp_sign_in=["key-login"],
            redmine_client_id=None,
            redmine_client_secret=None,
            jwt_signing_key=JWT_KEY,
        ) as server,
        Browser(NOWHERE) as browser,
    ):
        client_id = await device_client(server)
        asked = (await ask(server, client_id)).json()
        await confirm(browser, asked)
        await browser.submit(browser.form("csrf_token"), action="approve")
        await browser.submit(browser.form("api_key"), api_key=sandbox_of(server).api_key("bob"))
        tokens = tokens_from(await poll(server, client_id, asked["device_code"]), client_id)

        assert (await ping(server, tokens.access)).status_code == 200


async def test_where_redirects_are_limited_devices_still_sign_in(sandbox: Target) -> None:
    """An operator's list of addresses for clients is not about our own pages."""
    async with running_server(
        sandbox, mcp_allowed_redirect_uris=["https://clients.example/*"]
    ) as server:
        tokens = await signed_in_device(server, grant_types=GRANTS[1:], redirect_uris=[])

        assert (await ping(server, tokens.access)).status_code == 200


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


async def test_the_store_holds_no_device_code(server: Running) -> None:
    """Not even the store, which is encrypted, is told the secret of a device."""
    told: list[str] = []
    store = server.host.store
    put = store.put

    async def listen(key: str, value: Any, **options: Any) -> None:
        told.append(f"{key} {value}")
        await put(key, value, **options)

    store.put = listen  # type: ignore[method-assign]
    asked = (await ask(server, await device_client(server))).json()

    assert asked["user_code"].replace("-", "") in " ".join(told)
    assert asked["device_code"] not in " ".join(told)


async def test_our_own_bridge_signs_in_so(
    redmine: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``redmine-mcp connect --device`` finds the flow by itself, and its user goes to our page."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(device_codes, "INTERVAL", 0)
    monkeypatch.setattr("redmine_mcp_core.auth.device.INTERVAL", 0)
    person = Clicking(browser=False)
    async with (
        running_server(redmine) as server,
        connected(f"{server.url}/mcp", person, device=True, browser=False) as connection,
        Browser(NOWHERE) as browser,
    ):
        asked = asyncio.create_task(connection.ask("tools/list"))
        await person.was_told.wait()
        address = next(word for word in person.told[0].split() if "user_code=" in word)
        await sign_in_there(browser, {"verification_uri_complete": address})
        answer = await asked

    assert "search_issues" in str(answer)
