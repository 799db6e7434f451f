"""MCP clients that other people wrote, from npm, signing in for real."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from tests.e2e.npm import Npm, environment, follow, installed
from tests.support.processes import until
from tests.support.servers import Running, free_port
from tests.support.sign_in import sign_in

pytestmark = pytest.mark.npm

ADDRESS = re.compile(r"(http://\S+/authorize\?\S+)\s")


@dataclass(frozen=True)
class Call:
    """A call of a tool, and what its answer says among other things."""

    tool: str
    arguments: dict[str, Any]
    says: str


ISSUE = Call("get_issue_details", {"issue_id": 1}, "Rework the login page")
SEARCH = Call("search_issues", {"query": "login page"}, "#1 ")
CALLS = (ISSUE, SEARCH)


@pytest.fixture(scope="session")
def npm() -> Npm:
    return installed()


def addresses(log: Path) -> list[str]:
    return ADDRESS.findall(log.read_text(encoding="utf-8"))


async def address_in(log: Path) -> str:
    """The address that a client tells its user to open, once it does."""
    found: list[str] = []

    async def told() -> bool:
        found[:] = addresses(log)
        return bool(found)

    await until(told)
    return found[0]


async def test_mcp_remote(npm: Npm, ours: Running, tmp_path: Path) -> None:
    """A client that speaks stdio only signs in and works through mcp-remote."""
    node, *program = npm.command("mcp-remote")
    arguments = [*program, f"{ours.url}/mcp", str(free_port()), "--host", "127.0.0.1"]
    log = tmp_path / "stderr"
    log.touch()
    remote = StdioTransport(node, arguments, environment(tmp_path), keep_alive=False, log_file=log)

    async def person() -> None:
        await follow(await address_in(log), "alice")

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(person())
        async with Client(remote) as client:
            said = [await client.call_tool(call.tool, call.arguments) for call in CALLS]

    for call, result in zip(CALLS, said, strict=True):
        assert call.says in result.content[0].text


class Inspector:
    """The inspector's command line before one server."""

    def __init__(self, npm: Npm, url: str, home: Path) -> None:
        self._command = npm.command("@modelcontextprotocol/inspector")
        self._server = ["--cli", f"{url}/mcp", "--transport", "http", "--format", "json"]
        self._environment = environment(home)
        self._log = home / "stderr"

    async def __call__(self, *options: str, login: str | None = None) -> dict[str, Any]:
        """The result of one run; with a login it asks that person to sign in."""
        with self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *self._server,
                *options,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
            )
        try:
            async with asyncio.timeout(60):
                if login:
                    await follow(await address_in(self._log), login)
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, self._log.read_text(encoding="utf-8")
        result: dict[str, Any] = json.loads(said)["result"]
        return result

    async def call(self, call: Call, *options: str) -> str:
        """The text of a tool's answer."""
        arguments = ["--tool-name", call.tool, "--tool-args-json", json.dumps(call.arguments)]
        result = await self("--method", "tools/call", *arguments, *options)
        return str(result["content"][0]["text"])


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_inspector_with_a_token(npm: Npm, ours: Running, tmp_path: Path, era: str) -> None:
    """The inspector reads our tools without a complaint about a schema, and calls them."""
    inspector = Inspector(npm, ours.url, tmp_path)
    token = (await sign_in(ours.url)).access
    options = ("--protocol-era", era, "--header", f"Authorization: Bearer {token}")

    listed = await inspector("--method", "tools/list", "--strict", *options)
    said = [await inspector.call(call, *options) for call in CALLS]

    assert {"get_issue_details", "search_issues"} <= {tool["name"] for tool in listed["tools"]}
    for call, text in zip(CALLS, said, strict=True):
        assert call.says in text


async def test_inspector_signs_in_by_itself(npm: Npm, ours: Running, tmp_path: Path) -> None:
    """Given our address alone, the inspector registers, signs a person in, and keeps that."""
    inspector = Inspector(npm, ours.url, tmp_path)
    listening = ("--callback-url", f"http://127.0.0.1:{free_port()}/oauth/callback")

    listed = await inspector("--method", "tools/list", *listening, login="alice")
    later = await inspector.call(ISSUE, "--stored-auth-only")

    assert {"get_issue_details", "search_issues"} <= {tool["name"] for tool in listed["tools"]}
    assert ISSUE.says in later
