"""The gauge of sessions: how many people are signed in at a moment, as a real server shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from redmine_mcp_core.storage import upkeep
from tests.support.processes import until
from tests.support.servers import Running
from tests.support.sign_in import Tokens, refresh, sign_in


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count as often as a test can wait for."""
    monkeypatch.setattr(upkeep, "COUNT_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "COUNT_SHARE", 1.0)


def shows(server: Running, count: int) -> Callable[[], Awaitable[bool]]:
    async def shown() -> bool:
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"{server.url}/metrics")).text
        return f'redmine_mcp_sessions{{redmine=""}} {float(count)}\n' in text

    return shown


async def revoke(server: Running, tokens: Tokens) -> None:
    async with httpx.AsyncClient() as http:
        data = {"token": tokens.refresh, "client_id": tokens.client_id}
        answer = await http.post(f"{server.url}/revoke", data=data)
    assert answer.status_code == 200


async def test_a_sign_in_is_one_session_until_it_is_revoked(server: Running) -> None:
    """However often it is refreshed; a sign-in that nobody finished is none."""
    await until(shows(server, 0))
    alice, bob = await sign_in(server.url), await sign_in(server.url, "bob")
    await until(shows(server, 2))
    assert (await refresh(server.url, alice)).status_code == 200
    await revoke(server, bob)
    await until(shows(server, 1))
