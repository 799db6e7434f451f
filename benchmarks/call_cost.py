"""What each kind of request costs the server: ``python benchmarks/call_cost.py [rounds]``.

A ``redmine-mcp serve`` over a SQLite file, before a sandbox Redmine, and the least that FastMCP can
serve are processes of their own, asked in turns. What counts is the time that each spent on a
processor, so that whoever else is at work on this machine does not. Every figure is told in
relation to a ``ping`` of the least server. Takes half a minute; needs Linux (``/proc``).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.soak import sandbox  # noqa: E402
from tests.support.processes import Process, answers_with, until  # noqa: E402
from tests.support.servers import free_port, server_environment  # noqa: E402
from tests.support.sign_in import refresh, sign_in, tokens_from  # noqa: E402

ROUNDS, CALLS = 12, 30
LEAST = """
import sys
from fastmcp import FastMCP
mcp = FastMCP("least")
mcp.run("http", port=int(sys.argv[1]), stateless_http=True, show_banner=False, log_level="error")
"""
HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"
"""An answer of the first era is an event stream, one of the second is plain JSON."""

Ask = Callable[[], Awaitable[object]]


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


PING = message("ping")
REQUESTS = {
    "ping": PING,
    "get_issue_details": message("tools/call", name="get_issue_details", arguments={"issue_id": 1}),
    "list_issues": message("tools/call", name="list_issues", arguments={}),
    "search_issues": message("tools/call", name="search_issues", arguments={"query": "login"}),
    "tools/list": message("tools/list"),
}


def request(
    http: httpx.AsyncClient, url: str, sent: Mapping[str, Any], era: str, token: str = "none"
) -> Ask:
    """Sends a message; raises ``RuntimeError`` where it fails."""
    params = dict(sent["params"])
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": era,
    }
    if era == STATELESS:
        meta = "io.modelcontextprotocol"
        client = {"name": "call_cost", "version": "1"}
        headers |= {"Mcp-Method": sent["method"], "Mcp-Name": params.get("name", "")}
        params["_meta"] = {
            f"{meta}/protocolVersion": era,
            f"{meta}/clientInfo": client,
            f"{meta}/clientCapabilities": {},
        }
    body = {**sent, "params": params}

    async def ask() -> None:
        answer = await http.post(f"{url}/mcp", json=body, headers=headers)
        if '"result"' not in answer.text or '"isError":true' in answer.text:
            raise RuntimeError(answer.text)

    return ask


def processor_seconds(pid: int) -> float:
    """What all threads of a process have spent so far."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


async def cost(pid: int, ask: Ask, times: int) -> float:
    """Seconds of the processor for one request."""
    before = processor_seconds(pid)
    for _ in range(times):
        await ask()
    return (processor_seconds(pid) - before) / times


@asynccontextmanager
async def least_server() -> AsyncIterator[tuple[int, str]]:
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "FASTMCP_CHECK_FOR_UPDATES": "off"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEAST, str(port), env=environment
    )
    try:
        url = f"http://127.0.0.1:{port}"
        await until(lambda: answers_with(405, f"{url}/mcp"))
        yield process.pid, url
    finally:
        process.kill()
        await process.wait()


async def run(rounds: int, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(sandbox())
        port = free_port()
        environment = server_environment(
            target,
            port,
            folder / "tokens.sqlite3",
            MCP_LOG_LEVEL="warning",
            MCP_LIMIT_USER="0",
            MCP_LIMIT_CLIENT="0",
        )
        process = await stack.enter_async_context(Process(folder / "server", environment, "serve"))
        url = f"http://127.0.0.1:{port}"
        await process.serves(url)
        least_pid, least_url = await stack.enter_async_context(least_server())
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=60))
        tokens = await sign_in(url, "alice")
        renewed = await sign_in(url, "bob")

        async def renew() -> None:
            nonlocal renewed
            renewed = tokens_from(await refresh(url, renewed), renewed.client_id)

        asked: dict[str, tuple[int, Ask, int]] = {
            "least server: ping": (least_pid, request(http, least_url, PING, HANDSHAKE), CALLS),
            **{
                f"{name} ({era})": (
                    process.pid,
                    request(http, url, sent, era, tokens.access),
                    CALLS,
                )
                for era in (HANDSHAKE, STATELESS)
                for name, sent in REQUESTS.items()
                if (name, era) != ("ping", STATELESS)  # there is none any more
            },
            "sign in": (process.pid, lambda: sign_in(url, "carol"), 1),
            "refresh": (process.pid, renew, 1),
        }
        costs: dict[str, list[float]] = {name: [] for name in asked}
        for number in range(rounds + 1):
            for name, (pid, ask, times) in asked.items():
                spent = await cost(pid, ask, times)
                if number:  # the first round fills caches
                    costs[name].append(spent)
    unit = median(costs["least server: ping"])
    for name, values in costs.items():
        print(f"{name:<32} {median(values) * 1e3:7.2f} ms  {median(values) / unit:6.2f}")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="call-cost-") as folder:
        asyncio.run(run(rounds, Path(folder)))


if __name__ == "__main__":
    main()
