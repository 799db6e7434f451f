"""The bridge before our own server, which signs people in at Redmine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastmcp import Client

from redmine_mcp_core.auth import device, device_codes
from tests.connect.bridges import ADDRESS, Home
from tests.e2e.npm import follow
from tests.support.forms import Browser
from tests.support.processes import until
from tests.support.servers import Running
from tests.support.sign_in import log_in_to_redmine

Person = Callable[[str], Awaitable[Any]]


async def at_a_browser(address: str) -> None:
    await follow(address, "alice")


async def at_another_device(address: str) -> None:
    async with Browser("http://nowhere.invalid/") as browser:
        await browser.visit(address)
        await browser.submit(browser.form("form_token"), action="confirm")
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "alice", "password1234")


async def read_an_issue(home: Home, url: str, *flags: str, person: Person, mode: str) -> str:
    """What a client on stdio reads, while somebody follows the address that its bridge tells."""
    home.log.write_text("")

    async def told() -> bool:
        return bool(ADDRESS.findall(home.log.read_text()))

    async def sign_in() -> None:
        await until(told)
        await person(ADDRESS.findall(home.log.read_text())[0])

    signing_in = asyncio.create_task(sign_in())
    async with asyncio.timeout(60):
        async with Client(home.transport(url, *flags), mode=mode) as client:
            result = await client.call_tool("get_issue_details", {"issue_id": 1})
    signing_in.cancel()
    await asyncio.gather(signing_in, return_exceptions=True)
    return str(result.content[0].text)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_person_works_in_redmine(ours: Running, home: Home, mode: str) -> None:
    """A client that speaks only stdio signs in at Redmine, reads an issue, and signs out."""
    url = f"{ours.url}/mcp"
    home.environment["BROWSER"] = "true"
    first = await read_an_issue(home, url, person=at_a_browser, mode=mode)
    again = await read_an_issue(home, url, person=at_a_browser, mode=mode)
    signed_in_again = ADDRESS.findall(home.log.read_text())
    logout = await home.run("connect", "logout", url)

    assert "Rework the login page" in first
    assert "Rework the login page" in again
    assert signed_in_again == []
    assert logout[0] == 0
    assert logout[1].startswith(f"Signed out of {url}")


async def test_a_device_code_at_our_server(
    ours: Running, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a browser and a terminal, the person signs in on another device."""
    for module in (device, device_codes):
        monkeypatch.setattr(module, "INTERVAL", 0)
    said = await read_an_issue(
        home, f"{ours.url}/mcp", "--no-browser", person=at_another_device, mode="auto"
    )

    assert "Rework the login page" in said


async def test_doctor_of_our_server(ours: Running, home: Home) -> None:
    """Our own server is well."""
    code, said, _ = await home.run("connect", "doctor", f"{ours.url}/mcp")

    assert code == 0, said
    assert "Ways to sign in: browser, device code" in said
