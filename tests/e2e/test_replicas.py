"""Three replicas over one token store, as processes: what a user notices when one of them dies."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from redmine_mcp_sandbox import Sandbox
from starlette.types import Receive, Scope, Send

from tests.support.killable import Redis
from tests.support.processes import Process, until
from tests.support.servers import Target, free_port, server_environment, serving
from tests.support.sign_in import Tokens, refresh, sign_in

Era = Literal["auto", "legacy"]
ERAS: list[Era] = ["auto", "legacy"]
REPLICAS = 3


@dataclass(frozen=True)
class Replicas:
    target: Target
    urls: list[str]
    processes: list[Process]


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    server = Redis(tmp_path)
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


class Redmine:
    """A sandbox in which whoever reads issue 2 waits until the door is opened."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._app = sandbox.app
        self.waiting = 0
        self.door = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/issues/2.json":
            self.waiting += 1
            await self.door.wait()
        await self._app(scope, receive, send)

    async def keeps(self, number: int) -> None:
        """Wait until so many calls are under way."""

        async def so_many() -> bool:
            return self.waiting >= number

        await until(so_many)


@pytest.fixture
async def redmine() -> AsyncIterator[tuple[Redmine, Target]]:
    port = free_port()
    sandbox = Sandbox(base_url=f"http://127.0.0.1:{port}")
    redmine = Redmine(sandbox)
    async with serving(redmine, port):
        yield (
            redmine,
            Target(sandbox.base_url, sandbox.client_id, sandbox.client_secret, sandbox),
        )


@pytest.fixture
async def replicas(
    redmine: tuple[Redmine, Target], store_url: str, tmp_path: Path
) -> AsyncIterator[Replicas]:
    """They know themselves by the first one's address, as behind a load balancer."""
    ports = [free_port() for _ in range(REPLICAS)]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        processes = []
        for port in ports:
            environment = server_environment(
                redmine[1], port, tmp_path, TOKEN_STORE_URL=store_url, MCP_PUBLIC_URL=urls[0]
            )
            process = Process(tmp_path / f"replica-{port}", environment, "serve")
            processes.append(await stack.enter_async_context(process))
        for url, process in zip(urls, processes, strict=True):
            await process.serves(url)
        yield Replicas(redmine[1], urls, processes)


class LoadBalancer:
    """Sends each request to the next replica, whichever the client has asked before."""

    def __init__(self, urls: list[str]) -> None:
        self.ports = itertools.cycle([httpx2.URL(url).port for url in urls])
        self.served: Counter[int | None] = Counter()

    def client(self, url: str, tokens: Tokens, era: Era) -> Client:  # type: ignore[type-arg]
        """A client that knows nothing of replicas."""

        def http(**options: Any) -> httpx2.AsyncClient:
            return httpx2.AsyncClient(**options, transport=Balanced(self))

        transport = StreamableHttpTransport(
            f"{url}/mcp",
            auth=tokens.access,
            httpx_client_factory=http,  # type: ignore[arg-type]
        )
        return Client(transport, mode=era)


class Balanced(httpx2.AsyncHTTPTransport):
    """Passes over a replica that takes no connection: such a request has reached nobody."""

    def __init__(self, balancer: LoadBalancer) -> None:
        super().__init__()
        self._balancer = balancer

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for port in itertools.islice(self._balancer.ports, REPLICAS):
            request.url = request.url.copy_with(port=port)
            try:
                answer = await super().handle_async_request(request)
            except httpx2.ConnectError:
                continue
            self._balancer.served[port] += 1
            return answer
        raise httpx2.ConnectError("no replica is there")


async def subject_of(client: Client, number: int) -> str:  # type: ignore[type-arg]
    issue = await client.call_tool("get_issue_details", {"issue_id": number})
    return str((issue.structured_content or {})["subject"])


async def read_issue(number: int, url: str, tokens: Tokens, era: Era) -> str:
    async with Client(f"{url}/mcp", auth=tokens.access, mode=era) as client:
        return await subject_of(client, number)


async def test_a_dead_replica_fails_the_calls_in_flight_and_no_other(
    replicas: Replicas, redmine: tuple[Redmine, Target]
) -> None:
    """One user's two sessions, one in each era, go round three replicas, request by request. One
    is killed while it has calls in flight: those fail; those of the others, and all that follow,
    succeed."""
    tokens = await sign_in(replicas.urls[0])
    balancer = LoadBalancer(replicas.urls)
    async with AsyncExitStack() as stack:
        sessions = [
            await stack.enter_async_context(balancer.client(replicas.urls[0], tokens, era))
            for era in ERAS
        ]
        before = {await subject_of(session, 1) for session in sessions * REPLICAS}
        served = balancer.served.copy()
        in_flight = [
            [asyncio.create_task(read_issue(2, url, tokens, era)) for era in ERAS]
            for url in replicas.urls
        ]
        await redmine[0].keeps(len(ERAS) * REPLICAS)
        replicas.processes[1].send(signal.SIGKILL)
        await replicas.processes[1].exit_code()
        lost = await asyncio.gather(*in_flight.pop(1), return_exceptions=True)
        after = {await subject_of(session, 1) for session in sessions * REPLICAS}
        redmine[0].door.set()
        kept = set(await asyncio.gather(*itertools.chain(*in_flight)))

    renewed = await refresh(replicas.urls[2], tokens)
    assert len(served) == REPLICAS
    assert min(served.values()) >= len(ERAS)
    assert all(isinstance(error, Exception) for error in lost)
    assert len(before | after) == len(kept) == 1
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
        await read_issue(1, url, tokens, "auto")
    await redis.kill()
    during = await read_issue(1, replicas.urls[1], tokens, "auto")
    refreshed = await refresh(replicas.urls[1], tokens)
    async with httpx.AsyncClient(timeout=30) as http:
        ready = await http.get(f"{replicas.urls[1]}/ready")
        body = {"redirect_uris": ["http://127.0.0.1:1/callback"]}
        registered = await http.post(f"{replicas.urls[1]}/register", json=body)
    await redis.start()

    assert during
    assert (refreshed.status_code, registered.status_code, ready.status_code) == (503, 503, 503)
    assert "Redis" in ready.json()["checks"]["token_store"]
    assert all([await read_issue(1, url, tokens, "legacy") for url in replicas.urls])
    assert (await refresh(replicas.urls[2], tokens)).status_code == 200
