"""The device flow (RFC 8628): a machine without a browser asks for codes and gets its tokens."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import device_codes
from redmine_mcp_core.auth.client_metadata import DEVICE_GRANT
from redmine_mcp_core.auth.device_codes import LIFETIME, DeviceCodes
from redmine_mcp_core.storage.memory import MemoryStore
from tests.auth.test_session_life import proxy_of, revoke, user_id
from tests.connect.people import Clicking, connected
from tests.support.device_flow import (
    GRANTS,
    NOWHERE,
    ask,
    confirm,
    device_client,
    error,
    poll,
    sign_in_there,
)
from tests.support.forms import Browser
from tests.support.servers import BY_KEY, Running, Target, running_server
from tests.support.sign_in import Tokens, refresh, register, tokens_from
from tests.support.signed_in import ping, sandbox_of


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


async def test_a_device_signs_in_by_key(sandbox: Target) -> None:
    """It works where Redmine has no OAuth as well."""
    async with (
        running_server(sandbox, **BY_KEY) as server,
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
