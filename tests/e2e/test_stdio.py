"""``redmine-mcp stdio``: one person, an API key, a process and its pipes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.client import ConnectMode
from fastmcp.client.transports import StdioTransport
from fastmcp.exceptions import McpError, ToolError
from redmine_mcp_sandbox import Sandbox

from tests.support.servers import Target

COMMAND = [sys.executable, "-m", "redmine_mcp_core.cli", "stdio"]
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def environment(target: Target, **extra: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    key = Sandbox().api_key("alice")
    return {**kept, "REDMINE_URL": target.url, "REDMINE_API_KEY": key, **extra}


def client(env: Mapping[str, str], *, mode: ConnectMode = "auto") -> Client[StdioTransport]:
    transport = StdioTransport(COMMAND[0], COMMAND[1:], env=dict(env), keep_alive=False)
    return Client(transport, mode=mode)


async def started(env: Mapping[str, str], folder: Path) -> asyncio.subprocess.Process:
    """The command as a process that has answered its first request."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        env=dict(env),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(HELLO).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await process.stdout.readline())
    assert answer["result"]["serverInfo"]["name"] == "Redmine"
    return process


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_person_of_the_key(redmine: Target, mode: ConnectMode) -> None:
    """Tools and resources work as the user whose key it is, in both eras."""
    async with client(environment(redmine), mode=mode) as connected:
        me = await connected.read_resource("redmine://users/me")
        issues = await connected.call_tool("list_issues", {"project": "alpha"})

    assert "alice" in str(me)
    assert not issues.is_error


async def test_a_key_from_a_file(sandbox: Target, tmp_path: Path) -> None:
    """``REDMINE_API_KEY_FILE`` names a file that holds the key."""
    file = tmp_path / "key"
    file.write_text(Sandbox().api_key("bob") + "\n")
    env = environment(sandbox, REDMINE_API_KEY_FILE=str(file))
    del env["REDMINE_API_KEY"]
    async with client(env) as connected:
        assert "bob" in str(await connected.read_resource("redmine://users/me"))


async def test_a_wrong_key_is_said(sandbox: Target) -> None:
    """A call says what is wrong; the server goes on."""
    async with client(environment(sandbox, REDMINE_API_KEY="0" * 40)) as connected:
        with pytest.raises(ToolError, match="does not know this API key"):
            await connected.call_tool("list_issues", {"project": "alpha"})
        with pytest.raises(McpError, match="does not know this API key"):
            await connected.read_resource("redmine://users/me")
        assert await connected.list_tools()


async def test_without_a_key_it_says_where_to_find_it(sandbox: Target, tmp_path: Path) -> None:
    """One sentence on standard error, nothing on standard output, exit code 2."""
    env = environment(sandbox)
    del env["REDMINE_API_KEY"]
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        env=env,
        cwd=tmp_path,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert process.returncode == 2
    assert out == b""
    assert f"{sandbox.url}/my/account" in err.decode()
    assert b"Traceback" not in err


@pytest.mark.parametrize("how", ["eof", "SIGINT", "SIGTERM"])
async def test_it_ends_cleanly(sandbox: Target, tmp_path: Path, how: str) -> None:
    """At the end of its input and on both signals: exit code 0 and no complaint, and nothing but
    the protocol was ever on standard output."""
    process = await started(environment(sandbox), tmp_path)
    assert process.stdin
    if how == "eof":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, how))
    assert process.stdout
    assert process.stderr
    rest = await process.stdout.read()
    complaints = await process.stderr.read()

    assert await process.wait() == 0
    assert b"Traceback" not in complaints
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())


async def test_it_is_read_only_where_it_is_set(sandbox: Target) -> None:
    """``MCP_READ_ONLY`` and ``MCP_TOOLS`` narrow what is offered, here as everywhere."""
    async with client(environment(sandbox, MCP_READ_ONLY="true")) as connected:
        names = {tool.name for tool in await connected.list_tools()}

    assert "list_issues" in names
    assert "create_issue" not in names


async def test_a_file_of_the_folder_that_was_allowed(sandbox: Target, tmp_path: Path) -> None:
    """A file below ``MCP_FILES_FOLDER`` can be attached by its path; one elsewhere cannot. What is
    attached can be saved there."""
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "notes.txt").write_text("what we found")
    (tmp_path / "secret.txt").write_text("not for you")
    env = environment(sandbox, MCP_FILES_FOLDER=str(tmp_path / "allowed"))
    async with client(env) as connected:
        call = {"name": "attach_local_file", "arguments": {"issue_id": 1, "path": "notes.txt"}}
        done = await connected.call_tool("call_tool", call)
        call["arguments"] = {"issue_id": 1, "path": str(tmp_path / "secret.txt")}
        with pytest.raises(ToolError):
            await connected.call_tool("call_tool", call)
        save = {"issue_id": 1, "attachment_id": 1, "path": "saved.txt"}
        await connected.call_tool("call_tool", {"name": "save_attachment", "arguments": save})

    assert (tmp_path / "allowed" / "saved.txt").stat().st_size > 0
    assert "notes.txt" in str(done.content)
