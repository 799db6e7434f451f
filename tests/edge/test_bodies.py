"""Requests that are too large, too deep or too slow are refused before anything parses them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from redmine_mcp_core.edge.bodies import (
    MAX_BODY,
    MAX_DEPTH,
    MAX_HEADERS,
    MAX_MCP_BODY,
    Bodies,
    deeper_than,
)
from tests.edge.asgi import echo, http_to


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b"x" * 1024
    yield b"x" * (size % 1024)


@pytest.mark.parametrize(("path", "limit"), [("/mcp", MAX_MCP_BODY), ("/register", MAX_BODY)])
async def test_a_body_as_large_as_may_be_arrives_whole(path: str, limit: int) -> None:
    """Up to the last byte; with a length or in chunks."""
    async with http_to(Bodies(echo)) as http:
        with_length = await http.post(path, content=b"x" * limit)
        chunked = await http.post(path, content=in_chunks(limit))

    assert limit == with_length.json()["bytes"] == chunked.json()["bytes"]


@pytest.mark.parametrize(("path", "limit"), [("/mcp", MAX_MCP_BODY), ("/register", MAX_BODY)])
async def test_a_larger_one_is_refused(path: str, limit: int) -> None:
    """With 413, whether it tells its length or not; the app never sees it."""
    async with http_to(Bodies(echo)) as http:
        with_length = await http.post(path, content=b"x" * (limit + 1))
        chunked = await http.post(path, content=in_chunks(limit + 1))

    assert 413 == with_length.status_code == chunked.status_code
    assert str(limit) in with_length.text


async def test_a_length_that_lies_is_not_believed() -> None:
    """The bytes are counted, whatever the header says."""
    async with http_to(Bodies(echo)) as http:
        answer = await http.post(
            "/register", content=in_chunks(MAX_BODY + 1), headers={"Content-Length": "5"}
        )

    assert answer.status_code == 413


async def test_a_refusal_is_a_json_rpc_error_for_mcp() -> None:
    """An MCP client shows its sentence; an OAuth client reads ``error_description``."""
    deep = b"[" * (MAX_DEPTH + 1)
    async with http_to(Bodies(echo)) as http:
        mcp = await http.post("/mcp", content=deep)
        oauth = await http.post("/register", content=deep)

    assert (mcp.status_code, oauth.status_code) == (400, 400)
    assert (mcp.json()["jsonrpc"], mcp.json()["id"]) == ("2.0", None)
    assert "deeper" in mcp.json()["error"]["message"]
    assert "deeper" in oauth.json()["error_description"]


FORM = "application/x-www-form-urlencoded"


async def test_a_form_is_no_json() -> None:
    """Brackets in a form mean nothing. Of a request that calls itself both, or that comes where
    only JSON is read, that is not believed."""
    form, json_ = ("Content-Type", FORM), ("Content-Type", "application/json")
    async with http_to(Bodies(echo)) as http:
        statuses = [
            (await http.post(path, content=b"[" * 1000, headers=headers)).status_code
            for path, headers in (
                ("/token", [form]),
                ("/token", [json_, form]),
                ("/token", [form, json_]),
                ("/mcp", [form]),
            )
        ]

    assert statuses == [200, 400, 400, 400]


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


JSON = st.recursive(
    st.text(alphabet='a"\\[]{}é') | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"{['), inner, max_size=3),
)


@settings(deadline=None, database=None)
@given(JSON, st.integers(0, 6), st.booleans())
def test_the_depth_is_that_of_the_parsed_value(value: Any, depth: int, ascii_only: bool) -> None:
    """Brackets within strings, escaped quotes and backslashes do not mislead it."""
    body = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert deeper_than(body, depth) == (depth_of(value) > depth)


@pytest.mark.parametrize(
    ("body", "deep"),
    [
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, False),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), True),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), True),
        (b"[]," * 1_000_000, False),
        (b'"' + b"[" * 1_000_000, False),
        (b'["' + rb"\"" * 1_000_000 + b"[" * 100, True),  # it does not close either
        (b"[" * 4_000_000, True),
    ],
    ids=["limit", "arrays", "objects", "siblings", "string", "quotes", "open"],
)
def test_hostile_json(body: bytes, deep: bool) -> None:
    """What costs a parser much costs this little: quadratic work would take hours here."""
    assert deeper_than(body, MAX_DEPTH) is deep


async def test_too_many_headers_and_too_large_ones() -> None:
    """Both answer 431."""
    async with http_to(Bodies(echo)) as http:
        many = await http.get("/", headers=[("X-A", "b")] * MAX_HEADERS)
        large = await http.get("/", headers={"X-A": "b" * 40_000})
        usual = await http.get("/", headers={"X-A": "b" * 4_000})

    assert (many.status_code, large.status_code, usual.status_code) == (431, 431, 200)


async def test_a_slow_body_is_given_up() -> None:
    """A client that never ends its request is told so, instead of holding on to the server."""
    sent: list[Message] = []
    arriving = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Message:
        try:
            return next(arriving)
        except StopIteration:
            await asyncio.get_running_loop().create_future()
            raise

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "headers": [(b"transfer-encoding", b"chunked")],
    }
    await Bodies(echo, seconds=0.01)(scope, receive, send)

    assert sent[0]["status"] == 408
