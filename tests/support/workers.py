"""``redmine-mcp serve`` with several workers, as a process with processes of its own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from redmine_mcp_core.workers import Patience
from tests.support.processes import Process, until
from tests.support.sign_in import Tokens

IMPATIENT = Path(__file__).with_name("impatient.py")
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@dataclass(frozen=True)
class Workers:
    process: Process
    url: str
    port: int

    @property
    def pids(self) -> list[int]:
        """The workers that have served, in the order in which they began."""
        return [int(pid) for pid in re.findall(r"worker_started.*pid=(\d+)", self.process.stderr)]

    async def serve(self, count: int) -> None:
        async def all_of_them() -> bool:
            return len(self.pids) >= count

        await until(all_of_them)

    async def call(self, tokens: Tokens, times: int) -> set[int]:
        """The statuses of calls, each over a connection of its own, so that any worker gets it."""
        headers = {
            "Authorization": f"Bearer {tokens.access}",
            "Accept": "application/json, text/event-stream",
            "Connection": "close",
        }
        async with httpx.AsyncClient(headers=headers, timeout=30) as http:
            return {
                (await http.post(f"{self.url}/mcp", json=PING)).status_code for _ in range(times)
            }

    async def metric(self, name: str) -> float:
        async with httpx.AsyncClient() as http:
            shown = (await http.get(f"{self.url}/metrics")).text
        return sum(float(value) for value in re.findall(rf"^{name} (\S+)$", shown, re.MULTILINE))


@asynccontextmanager
async def workers(
    folder: Path, environment: dict[str, str], *, patience: Patience | None = None
) -> AsyncIterator[Workers]:
    """Two of them, once both serve."""
    async with workers_process(folder, environment, patience=patience) as process:
        port = int(environment["MCP_PORT"])
        running = Workers(process, f"http://127.0.0.1:{port}", port)
        await process.serves(running.url)
        await running.serve(2)
        yield running


def workers_process(
    folder: Path, environment: dict[str, str], *, patience: Patience | None = None
) -> Process:
    """The same, before anybody has waited for them."""
    if patience is None:
        return Process(folder / "p", environment, "serve", "--workers", "2")
    program = (sys.executable, "-P", IMPATIENT)
    return Process(folder / "p", environment, json.dumps(asdict(patience)), program=program)
