"""Three replicas over one token store, as processes: what a user notices when one of them dies."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import pytest
from fastmcp import Client

from tests.support.processes import Process, listens, until
from tests.support.servers import Target, free_port, server_environment
from tests.support.sign_in import Tokens, refresh, sign_in

Era = Literal["auto", "legacy"]
REPLICAS = 3
ROUNDS = 6


@dataclass(frozen=True)
class Replicas:
    target: Target
    urls: list[str]
    processes: list[Process]


class Redis:
    """A redis-server of the test's own, which keeps what it acknowledged."""

    def __init__(self, program: str, folder: Path) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        keeping = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        where = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = [program, *where, *keeping]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdout=asyncio.subprocess.DEVNULL
        )
        await until(lambda: listens(self._port))

    async def kill(self) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not here: no replicas over Redis were tried")
    server = Redis(program, tmp_path)
    await server.start()
    yield server
    await server.kill()


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store that several processes can share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    redis: Redis = request.getfixturevalue("redis")
    return redis.url


@pytest.fixture
async def replicas(sandbox: Target, store_url: str, tmp_path: Path) -> AsyncIterator[Replicas]:
    """They know themselves by the first one's address, as behind a load balancer."""
    ports = [free_port() for _ in range(REPLICAS)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        processes = []
        for port in ports:
            environment = server_environment(
                sandbox, port, tmp_path, TOKEN_STORE_URL=store_url, MCP_PUBLIC_URL=urls[0]
            )
            process = Process(tmp_path / f"replica-{port}", environment, "serve")
            processes.append(await stack.enter_async_context(process))
        for url, process in zip(urls, processes, strict=True):
            await process.serves(url)
        yield Replicas(sandbox, urls, processes)


@asynccontextmanager
async def connected(url: str, tokens: Tokens, era: Era) -> AsyncIterator[Client]:  # type: ignore[type-arg]
    async with Client(f"{url}/mcp", auth=tokens.access, mode=era) as client:
        yield client


async def read_issue_1(url: str, tokens: Tokens, era: Era) -> str:
    async with connected(url, tokens, era) as client:
        issue = await client.call_tool("get_issue_details", {"issue_id": 1})
    return str((issue.structured_content or {})["subject"])


async def test_a_dead_replica_costs_nobody_a_sign_in(replicas: Replicas) -> None:
    """One user's calls go round in both eras; one replica is killed; no other call fails."""
    tokens = await sign_in(replicas.urls[0])
    eras: list[Era] = ["auto", "legacy"]
    subjects = set()
    urls = list(replicas.urls)
    for turn in range(ROUNDS):
        if turn == ROUNDS // 2:
            replicas.processes[1].send(signal.SIGKILL)
            await replicas.processes[1].exit_code()
            urls.remove(replicas.urls[1])
        for era in eras:
            subjects.add(await read_issue_1(urls[turn % len(urls)], tokens, era))

    renewed = await refresh(urls[-1], tokens)
    assert len(subjects) == 1
    assert renewed.status_code == 200


async def test_refreshes_at_once_over_processes_are_one(replicas: Replicas) -> None:
    """Nine refreshes over three processes: one call to Redmine, one answer."""
    sandbox = replicas.target.sandbox
    assert sandbox is not None
    tokens = await sign_in(replicas.urls[0])
    before = sandbox.hits("/oauth/token")
    answers = await asyncio.gather(*(refresh(url, tokens) for url in replicas.urls * 3))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert sandbox.hits("/oauth/token") - before == 1


@pytest.mark.parametrize("store_url", ["redis"], indirect=True)
async def test_a_dead_redis_signs_nobody_out(replicas: Replicas, redis: Redis) -> None:
    """While Redis is away: verified sign-ins go on, refreshes and sign-ins wait with 503, and
    ``/ready`` says why. Back again, everything is as it was."""
    tokens = await sign_in(replicas.urls[0])
    for url in replicas.urls:
        await read_issue_1(url, tokens, "auto")
    await redis.kill()
    during = await read_issue_1(replicas.urls[1], tokens, "auto")
    refreshed = await refresh(replicas.urls[1], tokens)
    async with httpx.AsyncClient(timeout=30) as http:
        ready = await http.get(f"{replicas.urls[1]}/ready")
        body = {"redirect_uris": ["http://127.0.0.1:1/callback"]}
        registered = await http.post(f"{replicas.urls[1]}/register", json=body)
    await redis.start()

    assert during
    assert (refreshed.status_code, registered.status_code, ready.status_code) == (503, 503, 503)
    assert "Redis" in ready.json()["checks"]["token_store"]
    assert all([await read_issue_1(url, tokens, "legacy") for url in replicas.urls])
    assert (await refresh(replicas.urls[2], tokens)).status_code == 200
