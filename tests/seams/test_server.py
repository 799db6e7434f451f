"""What we lean on in FastMCP's server, the SDK's, and the search over tools is still so."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.server.middleware import Middleware
from fastmcp.server.transforms.search import BM25SearchTransform
from sse_starlette.sse import AppStatus

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.mcp.index import ComponentIndex
from tests.support.servers import free_port, serving


class Answer(Result):
    value: int

    def text(self) -> str:
        return str(self.value)


def index_of_two_tools() -> ComponentIndex:
    plugin = Plugin()

    @plugin.tool(title="Double", scopes={"view_issues"}, read_only=True)
    async def double(value: int) -> Answer:
        """Double a number."""
        return Answer(value=2 * value)

    @plugin.tool(title="Halve", scopes={"view_issues"}, read_only=True)
    async def halve(value: int) -> Answer:
        """Halve a number."""
        return Answer(value=value // 2)

    return ComponentIndex(plugin)


class Counter(Middleware):
    """Counts the messages that pass through it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_message(self, context: Any, call_next: Any) -> Any:
        self.seen.append(context.method)
        return await call_next(context)


@asynccontextmanager
async def client_over_http(counter: Counter, index: ComponentIndex) -> AsyncIterator[Client[Any]]:
    mcp: FastMCP[Any] = FastMCP(providers=[index], middleware=[counter])
    port = free_port()
    app = mcp.http_app(path="/mcp", stateless_http=True)
    async with (
        serving(app, port, lifespan="on"),
        Client(f"http://127.0.0.1:{port}/mcp", mode="auto") as client,
    ):
        yield client


async def test_a_call_of_the_stateless_era_is_one_message() -> None:
    """No hidden ``tools/list`` runs before a ``tools/call``: that would be fifty times the work.

    FastMCP before 4.2 had the SDK look for a tool's schema so, to check ``Mcp-Param-*`` headers.
    """
    counter, index = Counter(), index_of_two_tools()

    async with client_over_http(counter, index) as client:
        await client.list_tools()  # a client reads the output schemas once, by itself
        counter.seen.clear()
        result = await client.call_tool("double", {"value": 21})

    assert result.structured_content == {"value": 42}
    assert counter.seen == ["tools/call"]


@pytest.mark.parametrize(
    ("name", "parameters", "is_async"),
    [
        ("_make_search_tool", ["self"], False),
        ("_make_call_tool", ["self"], False),
        ("_get_visible_tools", ["self", "ctx"], True),
        ("_search", ["self", "tools", "query"], True),
    ],
)
def test_the_search_over_tools_is_made_of_these(
    name: str, parameters: list[str], is_async: bool
) -> None:
    """``OpenSearch`` overrides the first two and calls the others."""
    method = getattr(BM25SearchTransform, name)

    assert list(inspect.signature(method).parameters) == parameters
    assert inspect.iscoroutinefunction(method) is is_async


def test_answers_under_way_can_be_left_to_end() -> None:
    """sse-starlette lets us keep it from cutting streams at SIGTERM."""
    assert callable(AppStatus.disable_automatic_graceful_drain)
