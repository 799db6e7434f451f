"""The device flow (RFC 8628), step by step: what a device asks, and what its user answers."""

from __future__ import annotations

from typing import Any

import httpx

from redmine_mcp_core.auth.client_metadata import DEVICE_GRANT
from tests.support.forms import Browser
from tests.support.servers import Running
from tests.support.sign_in import log_in_to_redmine, register

GRANTS = ["authorization_code", "refresh_token", DEVICE_GRANT]
NOWHERE = "http://nowhere.invalid/"
"""The flow ends on a page of ours: the browser is sent to no client."""


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
