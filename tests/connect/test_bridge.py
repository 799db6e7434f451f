"""The bridge as a process: what passes, what does not, and nothing but protocol on its output."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys
from typing import Any

import pytest
from fastmcp import Client

from tests.connect.bridges import ADDRESS, COMMAND, Home
from tests.connect.theirs import Theirs
from tests.support.processes import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and terminals of POSIX")


async def names_of(client: Client[Any]) -> set[str]:
    return {tool.name for tool in await client.list_tools()}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_tools_that_are_let_through(theirs: Theirs, home: Home, mode: str) -> None:
    """--allow-tool and --ignore-tool hide a tool, and refuse it to who knows its name."""
    transport = home.transport(
        theirs.url,
        "--allow-tool",
        "a*",
        "--allow-tool",
        "call_*",
        "--allow-tool",
        "write",
        "--ignore-tool",
        "as?",
    )
    async with Client(transport, mode=mode) as client:
        listed = await names_of(client)
        for tool in ("ask", "steps"):
            with pytest.raises(Exception, match="not let through"):
                await client.call_tool(tool, {})
        with pytest.raises(Exception, match="steps is not let through"):
            await client.call_tool("call_tool", {"name": "steps"})
        written = await client.call_tool("write", {"text": "x"})

    assert listed == {"add", "write"}
    assert "1 notes" in str(written.content)
    assert theirs.front.count("tools/call") == 1


async def test_several_bridges_share_one_sign_in(theirs: Theirs, home: Home) -> None:
    """Started together, they open one browser between them, and refresh once."""

    async def work() -> Any:
        async with Client(home.transport(theirs.url)) as client:
            return (await client.call_tool("add", {"a": 1, "b": 2})).data

    first = await asyncio.gather(*(work() for _ in range(3)))
    theirs.expire_access_tokens()
    second = await asyncio.gather(*(work() for _ in range(2)))

    assert first + second == [3] * 5
    assert home.sign_ins == 1
    assert theirs.front.count("/register") == 1
    assert sum(b"grant_type=refresh_token" in seen.body for seen in theirs.front.seen) == 1


async def test_lines_that_are_no_messages(theirs: Theirs, home: Home) -> None:
    """They are answered as JSON-RPC says, and the bridge goes on."""
    async with home.bridge(theirs.url) as bridge:
        bridge.say_line("nonsense")
        bridge.say_line("")
        bridge.say_line("42")
        refused = await bridge.hear()
        opened = await bridge.open()

    assert refused["error"]["code"] == -32700
    assert opened["result"]["serverInfo"]["name"] == "theirs"


async def test_what_the_bridge_does_not_know_passes(theirs: Theirs, home: Home) -> None:
    """Methods and fields of tomorrow go to the server, and its answer comes back."""
    async with home.bridge(theirs.url) as bridge:
        await bridge.open()
        said = await bridge.ask("vendor/method", "a-string-id", field={"deep": ["ü", 1.5, None]})

    assert said["error"]
    arrived = next(seen.rpc for seen in theirs.front.seen if seen.method == "vendor/method")
    assert arrived["params"] == {"field": {"deep": ["ü", 1.5, None]}}
    assert arrived["id"] == "a-string-id"


async def test_what_a_server_says_of_its_own_accord(theirs: Theirs, home: Home) -> None:
    """A change of its tools reaches the client."""
    changed = asyncio.Event()

    async def note(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            changed.set()

    async with Client(home.transport(theirs.url), mode="legacy", message_handler=note) as client:
        await client.call_tool("change", {})
        async with asyncio.timeout(10):
            await changed.wait()


async def test_a_cancelled_request(theirs: Theirs, home: Home) -> None:
    """The server is told, no answer comes, and the next request is answered."""
    async with home.bridge(theirs.url) as bridge:
        capabilities: dict[str, Any] = {"elicitation": {"form": {}}}
        await bridge.ask(
            "initialize",
            0,
            protocolVersion="2025-11-25",
            clientInfo={"name": "test", "version": "1"},
            capabilities=capabilities,
        )
        bridge.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        asking = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "ask"}}
        bridge.say(asking)
        asked = await bridge.hear()
        bridge.say(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
        )
        answer = await bridge.ask("ping", 6)

    assert asked["method"] == "elicitation/create"
    assert answer["result"] == {}
    assert theirs.front.count("notifications/cancelled") == 1


async def test_logs_are_redacted_and_go_to_standard_error(theirs: Theirs, home: Home) -> None:
    """Even at the loudest level neither tokens nor codes are in the log."""
    async with Client(home.transport(theirs.url, "--log-level", "debug")) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        log = home.log.read_text()
        secrets = [*theirs.auth.access_tokens, *theirs.auth.refresh_tokens]
    codes = re.findall(rb"code=([^&]+)", b"".join(seen.body for seen in theirs.front.seen))

    assert "signed in" in log
    assert len(codes) == 1
    for secret in [*secrets, codes[0].decode()]:
        assert secret not in log


@pytest.mark.parametrize("arguments", [("connect", "http://127.0.0.1:9/mcp"), ("stdio",)])
async def test_a_person_who_starts_it_by_hand(arguments: tuple[str, ...], home: Home) -> None:
    """They learn why nothing happens; on standard output stands nothing."""
    terminal, ours = pty.openpty()
    with home.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            env=home.environment
            | {"REDMINE_URL": "http://127.0.0.1:9", "REDMINE_API_KEY": "0" * 40},
            stdin=ours,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    os.close(ours)

    async def told() -> bool:
        return "Waiting for an MCP client" in home.log.read_text()

    await until(told)
    process.terminate()
    async with asyncio.timeout(20):
        said, _ = await process.communicate()
    os.close(terminal)

    assert said == b""


async def test_a_callback_that_is_pasted_into_a_terminal(theirs: Theirs, home: Home) -> None:
    """Without a browser here, a person pastes where the browser elsewhere ended."""
    terminal, ours = pty.openpty()
    program = (
        "import fcntl, os, sys, termios\n"
        f"os.setsid(); fcntl.ioctl({ours}, termios.TIOCSCTTY, 0)\n"
        f"os.execv({str(COMMAND)!r}, sys.argv[1:])"
    )
    with home.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", program, "redmine-mcp", "connect", "login", theirs.url, "--no-browser"),
            env=home.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            pass_fds=[ours],
        )
    os.close(ours)

    async def told() -> bool:
        return "paste the address" in home.log.read_text()

    await until(told)
    import httpx

    async with httpx.AsyncClient() as http:
        address = ADDRESS.findall(home.log.read_text())[0]
        arrived = (await http.get(address)).headers["location"]
    os.write(terminal, arrived.encode() + b"\n")
    async with asyncio.timeout(20):
        said, _ = await process.communicate()
    os.close(terminal)

    assert said.decode() == f"Signed in to {theirs.url}.\n"
    assert process.returncode == 0


async def test_it_starts_fast(home: Home) -> None:
    """A bridge that only passes on imports neither the server, nor the SDK, nor pydantic."""
    program = "import sys, redmine_mcp_core.connect; print(*sys.modules)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=home.environment, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    heavy = "fastmcp mcp mcp_types pydantic pydantic_settings starlette keyring cryptography"

    assert set(said.decode().split()) & {*heavy.split(), "redmine_mcp_core.server"} == set()
