"""What 100,000 sign-ins cost: ``python benchmarks/store_scale.py [--sessions N]``.

It fills a SQLite file in a temporary directory, and says

- what the store's part of a signed-in call costs with so many sessions and with ten: two reads,
  each decrypted, from two stores that are asked by turns in one process. From it, what the whole
  call costs in relation, for the cheapest call there is: a tool that does nothing, over an MCP
  client in the same process, without HTTP, OAuth or Redmine. A real call costs more, so that the
  store's part in it is smaller;
- how long the sweep of a store, all of whose sessions have run out, holds up the longest write
  and the longest turn of the event loop, and how long both took just before it, undisturbed: on
  a machine that is busy with other things, both are long;
- how many bytes a session takes.

Exit code 1 if a target is missed. Takes well under a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.builtins import builtin_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.storage import EncryptedStore, Record, RecordStore, open_store
from redmine_mcp_core.testing import client_for

RATIO = 1.05
HOLD_UP = 0.050  # seconds
ROUNDS, CALLS = 300, 20
BATCH = 1000
TICK = 0.002  # seconds
SHORT, LONG = 1.0, 86_400.0  # seconds

SESSION = {
    "access_token": "a" * 43,
    "refresh_token": "r" * 43,
    "client_id": "c" * 36,
    "scopes": ["view_issues", "add_issues", "edit_issues", "view_project", "search_project"],
    "user": {"id": 7, "login": "alice", "name": "Alice Example"},
    "raw": {"token_type": "Bearer", "expires_in": 7200, "created_at": 1_750_000_000},
}
"""About what FastMCP's proxy keeps of one sign-in; a second, small entry leads to it."""
POINTER = {"upstream": "u" * 43}


@dataclass(frozen=True)
class Sessions:
    """A store with so many sign-ins."""

    backend: RecordStore
    store: EncryptedStore
    path: Path
    count: int

    async def fill(self) -> None:
        """Two entries a session, as a sign-in writes them."""
        for start in range(0, self.count, BATCH):
            keys = [str(number) for number in range(start, min(start + BATCH, self.count))]
            await self.store.put_many(keys, [POINTER] * len(keys), collection="jti", ttl=LONG)
            await self.store.put_many(keys, [SESSION] * len(keys), collection="tokens", ttl=LONG)

    def bytes(self) -> int:
        """Return what the file and its log take."""
        return sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*"))

    async def call(self, key: str) -> None:
        """Read what a signed-in call reads."""
        assert await self.store.get(key, collection="jti")  # noqa: S101
        assert await self.store.get(key, collection="tokens")  # noqa: S101

    async def seconds_per_call(self, keys: Sequence[str]) -> float:
        """Return what a call costs, the average over some."""
        started = time.perf_counter()
        for key in keys:
            await self.call(key)
        return (time.perf_counter() - started) / len(keys)


nothing = Plugin()


class Done(Result):
    """That nothing was done."""

    def text(self) -> str:
        """Say so."""
        return "done"


@nothing.tool(title="Do nothing", scopes=(), read_only=True)
async def do_nothing() -> Done:
    """Do nothing."""
    return Done()


async def seconds_per_tool_call() -> float:
    """Return what a call costs besides the store, at the very least."""
    nowhere = httpx.MockTransport(lambda _: httpx.Response(500))
    async with client_for(nothing, redmine=nowhere, token="t") as client:  # noqa: S106
        costs = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await client.call_tool("do_nothing")
            costs.append(time.perf_counter() - started)
    return median(costs)


async def compare(many: Sessions, few: Sessions) -> tuple[float, float]:
    """Return the seconds a call costs with many and with few sessions, medians of many rounds.

    Rounds by turns, so that both stores see the same machine. Who is active is so again and
    again: the calls of many sessions come from a thousand of them.
    """
    active = random.sample(range(many.count), min(1000, many.count))
    costs = []
    for round_ in range(-20, ROUNDS):
        chosen = [str(random.choice(active)) for _ in range(CALLS)]  # noqa: S311
        others = [str(random.randrange(few.count)) for _ in range(CALLS)]  # noqa: S311
        if round_ % 2:
            slow, fast = await many.seconds_per_call(chosen), await few.seconds_per_call(others)
        else:
            fast, slow = await few.seconds_per_call(others), await many.seconds_per_call(chosen)
        if round_ >= 0:  # the first ones warm up
            costs.append((slow, fast))
    return median(slow for slow, _ in costs), median(fast for _, fast in costs)


async def expire(sessions: Sessions) -> None:
    """Let every session run out."""
    cursor = None
    while cursor != "":
        records, cursor = await sessions.backend.scan(cursor or "")
        await sessions.backend.load([Record(r.collection, r.key, r.value, SHORT) for r in records])
    await asyncio.sleep(SHORT + 0.1)


async def longest_hold_up(sessions: Sessions, task: asyncio.Task[Any]) -> tuple[float, float]:
    """Return the seconds of the longest write, and turn of the loop, until the task is done."""
    longest_write = longest_turn = 0.0

    async def write() -> None:
        nonlocal longest_write
        while not task.done():
            before = time.perf_counter()
            await sessions.store.put("live", SESSION)
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
    """Measure and print; return whether all targets were met."""
    backends = Plugins.discover(builtin=builtin_plugins(Metrics())).token_stores

    async def opened(name: str, size: int) -> Sessions:
        path = directory / name
        backend = await stack.enter_async_context(open_store(f"sqlite://{path}", backends))
        store = EncryptedStore(backend, [os.urandom(32)], name_key=os.urandom(32))
        sessions = Sessions(backend, store, path, size)
        await sessions.fill()
        return sessions

    async with AsyncExitStack() as stack:
        few = await opened("few.sqlite3", 10)
        started = time.perf_counter()
        many = await opened("many.sqlite3", count)
        print(f"{count:,} sessions written in {time.perf_counter() - started:.1f} s")
        print(f"bytes per session on the disk: {many.bytes() / count:,.0f}")
        slow, fast = await compare(many, few)
        floor = await seconds_per_tool_call()
        ratio = (floor + slow) / (floor + fast)
        print(
            f"store's part of a call: {fast * 1e6:.0f} µs with 10, {slow * 1e6:.0f} with {count:,}"
        )
        print(f"the cheapest call without it: {floor * 1e6:.0f} µs")
        print(f"a call with {count:,} sessions to one with 10: {ratio:.3f} (target <= {RATIO})")
        await expire(many)
        before = await longest_hold_up(many, asyncio.create_task(asyncio.sleep(3)))
        started = time.perf_counter()
        task = asyncio.create_task(many.backend.purge_expired())
        during = await longest_hold_up(many, task)
        print(f"sweep: {task.result():,} entries in {time.perf_counter() - started:.1f} s")
        for what, sweeping, resting in zip(
            ("write", "turn of the loop"), during, before, strict=True
        ):
            print(
                f"  longest {what} meanwhile: {sweeping * 1e3:.1f} ms "
                f"(target < {HOLD_UP * 1e3:.0f}; without a sweep {resting * 1e3:.1f})"
            )
    return ratio <= RATIO and max(during) < HOLD_UP


def main() -> int:
    """Parse the arguments, and clean up afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    count = parser.parse_args().sessions
    with tempfile.TemporaryDirectory(prefix="store-scale-") as directory:
        return 0 if asyncio.run(run(count, Path(directory))) else 1


if __name__ == "__main__":
    sys.exit(main())
