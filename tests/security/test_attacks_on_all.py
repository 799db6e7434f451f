"""Attacks of one person on what all others share, and on what only the operator may see."""

from __future__ import annotations

import httpx
import pytest

from redmine_mcp_core.mcp.selection import Selection
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    refresh,
    sign_in,
)


async def test_nobody_uses_up_the_tokens_of_a_client(sandbox: Target) -> None:
    """A client's ID is public, and with a metadata document that of all its users: who sends it
    along with nonsense locks none of them out."""
    async with running_server(sandbox, mcp_limit_tokens=10) as server:
        tokens = await sign_in(server.url)
        nonsense = {"client_id": tokens.client_id, "refresh_token": "x"}
        async with httpx.AsyncClient() as anybody:
            for _ in range(12):
                await anybody.post(
                    f"{server.url}/token", data={"grant_type": "refresh_token", **nonsense}
                )

        assert (await refresh(server.url, tokens)).status_code == 200


def test_a_choice_of_tools_costs_little() -> None:
    """Patterns of a request are compiled: so there are some of them, none is long, and what is left
    out of them opens nothing."""
    many = Selection.from_headers({"x-mcp-tools": " ".join(f"tool_{n}" for n in range(5000))})
    long = Selection.from_headers({"x-mcp-tools": "*a" * 8000})

    assert len(many.patterns) <= 100
    assert max(map(len, long.patterns)) <= 64
    assert long.patterns


@pytest.mark.parametrize("header", ["X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-For"])
async def test_metrics_are_not_shown_through_a_proxy_nobody_named(
    server: Running, header: str
) -> None:
    """Such a proxy on this machine makes everybody look like somebody on this machine."""
    async with httpx.AsyncClient() as http:
        own = await http.get(f"{server.url}/metrics")
        through = await http.get(f"{server.url}/metrics", headers={header: "192.0.2.7"})
        ready = await http.get(f"{server.url}/ready", headers={header: "192.0.2.7"})

    assert (own.status_code, through.status_code) == (200, 403)
    assert set(ready.json()) == {"status"}
