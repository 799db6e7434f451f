"""Everything is killed in turn: each replica, Redis, Redmine. Nobody has to sign in again."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from redmine_mcp_sandbox import Sandbox

from tests.support.killable import Killable, LastingRedmine, Redis
from tests.support.lasting_redmine import expire
from tests.support.processes import COMMAND, until
from tests.support.servers import Target, free_port, server_environment
from tests.support.sign_in import Tokens, sign_in, tokens_from

CALLERS = 2
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "get_issue_details", "arguments": {"issue_id": 1}},
}
SUBJECT = "Rework the login page"


@dataclass(frozen=True)
class Outage:
    """What may come of it while a part is dead."""

    calls: set[str]
    unverified: str
    """A call of somebody whose token no replica has seen before."""
    refresh: int


OUTAGES = {
    "Redis": Outage({"answered"}, "503", 503),
    "Redmine": Outage({"answered", "unreachable"}, "503", 503),
    "replica 1": Outage({"answered", "cut"}, "answered", 200),
    "replica 2": Outage({"answered", "cut"}, "answered", 200),
}


class Front(httpx.AsyncHTTPTransport):
    """A load balancer: each request to the next replica, past those that take no connection."""

    def __init__(self, replicas: list[str]) -> None:
        super().__init__()
        self._replicas = itertools.cycle([httpx.URL(url).port for url in replicas])
        self._number = len(replicas)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for port in itertools.islice(self._replicas, self._number):
            request.url = request.url.copy_with(port=port)
            try:
                return await super().handle_async_request(request)
            except httpx.ConnectError:
                continue
        raise httpx.ConnectError("no replica is there")


@dataclass
class Site:
    """Two replicas over Redis, before Redmine, behind a front."""

    parts: dict[str, Killable]
    redmine_sign_ins: Path
    phase: str = "before"
    seen: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def replicas(self) -> list[str]:
        return [self.parts["replica 1"].url, self.parts["replica 2"].url]

    def client(self, tokens: Tokens | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.replicas[0],
            transport=Front(self.replicas),
            timeout=30,
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2025-11-25",
                **({"Authorization": f"Bearer {tokens.access}"} if tokens else {}),
            },
        )

    async def refresh(self, tokens: Tokens) -> httpx.Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": tokens.client_id,
            "refresh_token": tokens.refresh,
        }
        async with self.client() as http:
            return await http.post("/token", data=form)

    async def calls(self, tokens: Tokens) -> None:
        """Call without a pause, and note what came of it: a call that was under way when a part
        died or came back belongs to the outage."""
        async with self.client(tokens) as http:
            while (began := self.phase) != "over":
                what = await outcome(http)
                phase = began if began in OUTAGES or self.phase == "over" else self.phase
                self.seen.setdefault(phase, Counter())[what] += 1

    async def works(self, tokens: Tokens) -> bool:
        """Whether each replica answers a call."""
        async with self.client(tokens) as http:
            return {await outcome(http) for _ in self.replicas} == {"answered"}

    async def has_seen(self, number: int) -> bool:
        return self.seen.get(self.phase, Counter()).total() >= number


async def outcome(http: httpx.AsyncClient) -> str:
    """What a client makes of the answer to one call."""
    try:
        answer = await http.post("/mcp", json=CALL)
    except httpx.TransportError:
        return "cut"
    if SUBJECT in answer.text:
        return "answered"
    if answer.status_code == 200 and "cannot be reached just now" in answer.text:
        return "unreachable"
    if answer.status_code == 503 and int(answer.headers.get("Retry-After", 0)) > 0:
        return "503"
    return f"{answer.status_code}: {answer.text}"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    redis, redmine, ports = Redis(tmp_path), LastingRedmine(tmp_path), [free_port(), free_port()]
    sandbox = Sandbox()
    target = Target(redmine.url, sandbox.client_id, sandbox.client_secret)
    settings = {
        "TOKEN_STORE_URL": redis.url,
        "MCP_PUBLIC_URL": f"http://127.0.0.1:{ports[0]}",
        # They call without a pause.
        "MCP_LIMIT_USER": "0",
        "MCP_LIMIT_CLIENT": "0",
    }
    parts: dict[str, Killable] = {"Redis": redis, "Redmine": redmine}
    for number, port in enumerate(ports, 1):
        environment = server_environment(target, port, tmp_path, **settings)
        parts[f"replica {number}"] = Killable(port, [COMMAND, "serve"], tmp_path, environment)
    async with AsyncExitStack() as stack:
        for part in parts.values():
            stack.push_async_callback(part.kill)
            await part.start()
        yield Site(parts, redmine.file)


async def test_nobody_has_to_sign_in_again(site: Site) -> None:
    """Each part is killed (-9) under calls and started again. Meanwhile calls and refreshes get
    answers, or 503 with Retry-After, or a sentence: never a 401. Afterwards they work with the
    tokens of before, also the refresh that was due: Redmine's token has run out by then."""
    alice, bob, carol = [
        await sign_in(site.replicas[0], login) for login in ("alice", "bob", "carol")
    ]
    calling = [asyncio.create_task(site.calls(alice)) for _ in range(CALLERS)]
    for name, outage in OUTAGES.items():
        await until(lambda: site.has_seen(10))
        site.phase = name
        await site.parts[name].kill()
        async with site.client(carol) as http:
            assert await outcome(http) == outage.unverified
        refreshed = await site.refresh(bob)
        assert refreshed.status_code == outage.refresh
        if outage.refresh == 200:
            bob = tokens_from(refreshed, bob.client_id)
        else:
            assert int(refreshed.headers["Retry-After"]) > 0
        await until(lambda: site.has_seen(20))
        if name == "Redmine":
            expire(site.redmine_sign_ins, "bob")
        await site.parts[name].start()
        await until(lambda: site.works(alice))
        site.phase = f"after {name}"
        bob = tokens_from(await site.refresh(bob), bob.client_id)
        assert await site.works(bob)
    await until(lambda: site.has_seen(10))
    site.phase = "over"
    await asyncio.gather(*calling)

    for name, outage in OUTAGES.items():
        assert set(site.seen[name]) <= outage.calls, name
        assert site.seen[name]["cut"] <= CALLERS
        assert set(site.seen[f"after {name}"]) == {"answered"}, name
