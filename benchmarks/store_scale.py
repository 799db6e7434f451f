"""What 100,000 sign-ins cost: ``python benchmarks/store_scale.py [--sessions N]``.

It fills a SQLite file in a temporary directory, and says

- what a signed-in call costs with so many sessions in relation to one with ten: two whole servers
  in this process, each over a file of its own, are asked by turns for the cheapest thing there is,
  a ``ping``. A real call costs more, so that the store's part in it is smaller;
- how long the sweep of a store, all of whose sessions have run out, holds up the longest write
  and the longest turn of the event loop, and how long both take in as much time after it: on a
  machine that is busy with other things, all of them are long;
- how many bytes a session takes.

Exit code 1 if the sweep misses its target. Takes well under a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from fastmcp.server.auth.oauth_proxy.models import JTIMapping, UpstreamTokenSet

from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from redmine_mcp_core.http import create_app
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import Host, open_host
from redmine_mcp_core.settings import load_settings
from redmine_mcp_core.storage import Record, open_store

RATIO = 1.05
HOLD_UP = 0.050  # seconds
ROUNDS, CALLS = 200, 10
ACTIVE = 1000
BATCH = 1000
TICK = 0.002  # seconds
NO_LIMIT = 1_000_000_000
SHORT, LONG = 1.0, 86_400.0  # seconds

CLIENT = "c" * 36
SCOPES = ["view_issues", "add_issues", "edit_issues", "view_project", "search_project"]
USER = {"user_id": 7, "login": "alice", "name": "Alice Example"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}


def redmine(request: httpx.Request) -> httpx.Response:
    """Answer as Redmine does when it is asked about a token; nothing else is asked of it."""
    assert request.url.path == "/oauth/token/info"
    known = {"resource_owner_id": 7, "scope": SCOPES, "application": {"uid": CLIENT}}
    return httpx.Response(200, json={**known, "expires_in": 7200})


def pointer(name: str) -> dict[str, Any]:
    """Return the entry that leads from one of our tokens to Redmine's."""
    entry = JTIMapping(jti=name, upstream_token_id=name, created_at=time.time())
    return entry.model_dump(mode="json")


def session(name: str) -> dict[str, Any]:
    """Return the entry that holds Redmine's tokens, as FastMCP's proxy keeps them."""
    now = time.time()
    entry = UpstreamTokenSet(
        upstream_token_id=name,
        access_token=name.rjust(43, "a"),
        refresh_token=name.rjust(43, "r"),
        refresh_token_expires_at=now + LONG,
        expires_at=now + LONG,
        token_type="Bearer",
        scope=" ".join(SCOPES),
        client_id=CLIENT,
        created_at=now,
        raw_token_data={"token_type": "Bearer", "expires_in": 7200, "redmine_user": USER},
    )
    return entry.model_dump(mode="json")


ENTRIES = {"mcp-jti-mappings": pointer, "mcp-upstream-tokens": session}
"""By the collection that FastMCP's proxy looks for them in."""


@dataclass(frozen=True)
class Sessions:
    """A server with so many sign-ins."""

    host: Host
    http: httpx.AsyncClient
    path: Path
    count: int

    async def fill(self) -> None:
        """Write the two entries of each session that a call reads."""
        for start in range(0, self.count, BATCH):
            names = [str(number) for number in range(start, min(start + BATCH, self.count))]
            for collection, entry in ENTRIES.items():
                entries = [entry(name) for name in names]
                await self.host.store.put_many(names, entries, collection=collection, ttl=LONG)

    def bytes(self) -> int:
        """Return what the file and its log take."""
        return sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*"))

    def tokens(self) -> list[str]:
        """Return what the clients of some sessions, or of all, hold."""
        proxy = self.host.mcp.auth
        assert isinstance(proxy, RedmineOAuthProxy)
        return [
            proxy.jwt_issuer.issue_access_token(CLIENT, SCOPES, str(number), int(LONG), USER)
            for number in random.sample(range(self.count), min(ACTIVE, self.count))
        ]

    async def seconds_per_call(self, tokens: Sequence[str]) -> float:
        """Return what a call costs, the average over some."""
        started = time.perf_counter()
        for token in tokens:
            answer = await self.http.post(
                "/mcp", json=PING, headers={**HEADERS, "Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 200, answer.text
        return (time.perf_counter() - started) / len(tokens)


@asynccontextmanager
async def serving(path: Path, count: int) -> AsyncIterator[Sessions]:
    """Run a server over a new file with so many sessions, called without a network."""
    metrics = Metrics()
    settings = load_settings(
        redmine_url="http://127.0.0.1:3000",
        redmine_client_id=CLIENT,
        redmine_client_secret="s" * 43,
        token_store_url=f"sqlite://{path}",
        # Counted as always, and out of reach: here one user calls from one address.
        mcp_limit_user=NO_LIMIT,
        mcp_limit_client=NO_LIMIT,
        mcp_limit_address=NO_LIMIT,
        _env_file=None,
    )
    transport = httpx.MockTransport(redmine)
    async with open_host(settings, discover_plugins(metrics), metrics, transport=transport) as host:
        app = create_app(host)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url=host.settings.public_url
            ) as http,
        ):
            sessions = Sessions(host, http, path, count)
            await sessions.fill()
            yield sessions


async def compare(many: Sessions, few: Sessions) -> tuple[float, float]:
    """Return the seconds a call costs with many and with few sessions, medians of many rounds.

    Rounds by turns, so that both see the same machine. Who is active is so again and again: the
    calls of many sessions come from a thousand of them. All have called just before, so that
    Redmine, which is asked every 30 seconds about a token, takes no part in the comparison.
    """
    costs: dict[Path, list[float]] = {many.path: [], few.path: []}
    callers = [(sessions, sessions.tokens()) for sessions in (many, few)]
    for sessions, tokens in callers:
        await sessions.seconds_per_call(tokens)
    for _ in range(ROUNDS):
        for sessions, tokens in callers:
            chosen = random.choices(tokens, k=CALLS)
            costs[sessions.path].append(await sessions.seconds_per_call(chosen))
        callers.reverse()
    return median(costs[many.path]), median(costs[few.path])


async def expire(sessions: Sessions) -> None:
    """Let every session run out."""
    host, cursor = sessions.host, None
    url = host.settings.token_store_url
    async with open_store(url, host.plugins.token_stores) as backend:
        while cursor != "":
            records, cursor = await backend.scan(cursor or "")
            await backend.load([Record(r.collection, r.key, r.value, SHORT) for r in records])
    await asyncio.sleep(SHORT + 0.1)


async def longest_hold_up(sessions: Sessions, task: asyncio.Task[Any]) -> tuple[float, float]:
    """Return the seconds of the longest write, and turn of the loop, until the task is done."""
    longest_write = longest_turn = 0.0
    live = session("live")

    async def write() -> None:
        nonlocal longest_write
        while not task.done():
            before = time.perf_counter()
            await sessions.host.store.put("live", live)
            longest_write = max(longest_write, time.perf_counter() - before)
            await asyncio.sleep(TICK)

    async def turn() -> None:
        nonlocal longest_turn
        while not task.done():
            before = time.perf_counter()
            await asyncio.sleep(TICK)  # a loop that never rests would take the threads' turns away
            longest_turn = max(longest_turn, time.perf_counter() - before - TICK)

    await asyncio.gather(write(), turn())
    return longest_write, longest_turn


async def run(count: int, directory: Path) -> bool:
    """Measure and print; return whether the sweep met its target."""
    async with AsyncExitStack() as stack:
        few = await stack.enter_async_context(serving(directory / "few.sqlite3", 10))
        started = time.perf_counter()
        many = await stack.enter_async_context(serving(directory / "many.sqlite3", count))
        print(f"{count:,} sessions written in {time.perf_counter() - started:.1f} s")
        print(f"bytes per session on the disk: {many.bytes() / count:,.0f}")
        slow, fast = await compare(many, few)
        print(f"a call: {fast * 1e6:.0f} µs with 10 sessions, {slow * 1e6:.0f} with {count:,}")
        print(f"  in relation: {slow / fast:.3f} (target <= {RATIO})")
        await expire(many)
        started = time.perf_counter()
        task = asyncio.create_task(many.host.store.purge_expired())
        during = await longest_hold_up(many, task)
        took = time.perf_counter() - started
        after = await longest_hold_up(many, asyncio.create_task(asyncio.sleep(took)))
        print(f"sweep: {task.result():,} entries in {took:.1f} s")
        for what, sweeping, resting in zip(
            ("write", "turn of the loop"), during, after, strict=True
        ):
            print(
                f"  longest {what} meanwhile: {sweeping * 1e3:.1f} ms "
                f"(target < {HOLD_UP * 1e3:.0f}; without a sweep {resting * 1e3:.1f})"
            )
    return max(during) < HOLD_UP


def main() -> int:
    """Parse the arguments, and clean up afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    count = parser.parse_args().sessions
    configure_logging(log_format="console", level="warning")
    with tempfile.TemporaryDirectory(prefix="store-scale-") as directory:
        return 0 if asyncio.run(run(count, Path(directory))) else 1


if __name__ == "__main__":
    sys.exit(main())
