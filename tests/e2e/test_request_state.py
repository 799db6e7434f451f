"""A call of several rounds in the stateless era: asked by one replica, answered to another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StreamableHttpTransport

from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import sign_in

DELETE = {"issue_id": 11, "hours": "destroy"}


class Balancer(httpx.AsyncBaseTransport):
    """Sends each request to the replica that is its turn, and notes which tool calls went where."""

    def __init__(self, turn: str) -> None:
        self.turn = turn
        self.calls: list[str] = []
        self._network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if body and json.loads(body).get("method") == "tools/call":
            self.calls.append(self.turn)
        replica = httpx.URL(self.turn)
        request.url = request.url.copy_with(host=replica.host, port=replica.port)
        return await self._network.handle_async_request(request)

    async def aclose(self) -> None:
        await self._network.aclose()


@pytest.fixture
async def replicas(sandbox: Target, tmp_path: Path) -> AsyncIterator[tuple[Running, Running]]:
    """Two servers over one SQLite file, known by the first one's address."""
    url = f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    async with (
        running_server(sandbox, token_store_url=url) as first,
        running_server(sandbox, token_store_url=url, mcp_public_url=first.url) as second,
    ):
        yield first, second


@pytest.mark.parametrize("agrees", [True, False])
async def test_an_answer_may_reach_another_replica(
    replicas: tuple[Running, Running], agrees: bool
) -> None:
    """The question travels with its sealed state, so no replica has to remember having asked."""
    first, second = replicas
    sandbox = first.target.sandbox
    assert sandbox is not None
    tokens = await sign_in(first.url)
    balancer = Balancer(first.url)
    asked: list[str] = []

    async def person(message: str, *_: Any) -> ElicitResult[dict[str, bool]]:
        asked.append(message)
        balancer.turn = second.url
        if not agrees:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": True})

    def through_balancer(
        headers: dict[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
        auth: httpx.Auth | None = None,
        **_: Any,
    ) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=headers, timeout=timeout, auth=auth, transport=balancer)

    transport = StreamableHttpTransport(
        f"{first.url}/mcp", auth=tokens.access, httpx_client_factory=through_balancer
    )
    async with Client(transport, elicitation_handler=person) as client:
        result = await client.call_tool("delete_issue", DELETE, raise_on_error=False)

    assert balancer.calls == [first.url, second.url]
    assert len(asked) == 1
    assert result.is_error != agrees
    deleted = [one for one in sandbox.requests if one.method == "DELETE"]
    assert [one.path for one in deleted] == (["/issues/11.json"] if agrees else [])
