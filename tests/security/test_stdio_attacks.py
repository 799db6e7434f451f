"""Attacks on the server of one person (``redmine-mcp stdio``), by what a client writes to it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redmine_mcp_sandbox import Sandbox

from tests.e2e.test_stdio import COMMAND, HELLO, environment
from tests.support.servers import Target

WRITE = {"name": "create_issue", "arguments": {"project": "alpha", "subject": "x"}}
CALL: dict[str, Any] = {"jsonrpc": "2.0", "method": "tools/call"}
LAST = {
    **CALL,
    "id": "last",
    "params": {"name": "get_issue_details", "arguments": {"issue_id": 1}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
CALLS = [
    {**CALL, "id": 1, "params": WRITE},
    {**CALL, "id": 2, "params": {"name": "call_tool", "arguments": WRITE}},
    {**CALL, "id": 3, "params": {**WRITE, "_meta": MODERN}},
    {**CALL, "params": WRITE},
    [{**CALL, "id": 4, "params": WRITE}],
]
"""A tool that writes: by itself, by another, as the newer era asks, unanswered, and in a batch."""


async def said_to(env: dict[str, str], folder: Path, *lines: Any) -> bytes:
    """What the server writes, on both of its streams, until it has answered ``LAST``."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        env=env,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    text = [line if isinstance(line, str) else json.dumps(line) for line in (*lines, LAST)]
    process.stdin.write("".join(f"{line}\n" for line in text).encode())
    said = b""
    async with asyncio.timeout(20):
        while b'"id":"last"' not in said.replace(b" ", b""):
            line = await process.stdout.readline()
            assert line, said
            said += line
        out, err = await process.communicate(b"")
    return said + out + err


NARROWED: list[tuple[dict[str, str], set[str]]] = [
    ({}, {"GET", "POST"}),
    ({"MCP_READ_ONLY": "true"}, {"GET"}),
    ({"MCP_TOOLS": "get_*"}, {"GET"}),
]


@pytest.mark.parametrize(("narrowed", "methods"), NARROWED)
async def test_what_is_not_offered_is_called_by_no_way(
    sandbox: Target, tmp_path: Path, narrowed: dict[str, str], methods: set[str]
) -> None:
    """By no spelling: Redmine is asked to change nothing."""
    assert sandbox.sandbox is not None
    await said_to(environment(sandbox, **narrowed), tmp_path, HELLO, READY, *CALLS)

    assert {request.method for request in sandbox.sandbox.requests} == methods


async def test_nothing_is_called_before_the_handshake(sandbox: Target, tmp_path: Path) -> None:
    """Of the era that has one; what it refused it does not do later."""
    assert sandbox.sandbox is not None
    calls = [call for call in CALLS if "_meta" not in str(call)]
    await said_to(environment(sandbox), tmp_path, *calls, HELLO, READY)

    assert {request.method for request in sandbox.sandbox.requests} == {"GET"}


JUNK = ["{", "[]", "null", "1", '"x"', "[" * 5000, '{"jsonrpc":"2.0","id":{},"method":"ping"}']


async def test_no_line_ends_the_server_or_has_it_tell_the_key(
    sandbox: Target, tmp_path: Path
) -> None:
    """What is no message is answered or dropped, and the next call is answered; the key is in no
    line of either stream."""
    arguments = {"issue_id": {"no": ["number"]}}
    wrong = {**CALL, "id": 1, "params": {"name": "get_issue_details", "arguments": arguments}}
    said = await said_to(environment(sandbox), tmp_path, HELLO, READY, *JUNK, wrong)

    assert b"Traceback" not in said
    assert Sandbox().api_key("alice").encode() not in said


@pytest.mark.parametrize("key", ["a\r\nX-Redmine-Switch-User: admin", "☃"])
async def test_no_strange_key_is_sent(sandbox: Target, tmp_path: Path, key: str) -> None:
    """One that no header can hold is told, and goes nowhere."""
    assert sandbox.sandbox is not None
    said = await said_to(environment(sandbox, REDMINE_API_KEY=key), tmp_path, HELLO, READY)

    assert sandbox.sandbox.requests == []
    assert b"Traceback" not in said
