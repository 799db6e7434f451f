"""Hours in minutes: ``python benchmarks/soak.py [--minutes N] [--workers N]``.

A ``redmine-mcp serve`` over a SQLite file, as a process of its own before a sandbox Redmine in
another one, is asked for issues by three signed-in people. First as fast as it can answer: that is
the peak. Then, for 20 minutes, at half of that rate, whatever it answers: a request is due when it
is due, and a late answer counts as slow by how late it is. Meanwhile it samples the memory of the
server, and how long the calls took.

Afterwards the memory must be flat, p99 within three times p50, and no call have failed; else the
exit code is 1. The plot goes to ``docs/soak.svg``. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from statistics import median

import httpx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from soak_plot import Panel, plot  # noqa: E402

from tests.support.processes import Process, answers_with, until  # noqa: E402
from tests.support.servers import Target, free_port, server_environment, serving  # noqa: E402
from tests.support.sign_in import Tokens, sign_in  # noqa: E402

PEAK_SECONDS, PEAK_CONNECTIONS = 15.0, 16
WARM_UP = 0.2
"""The part of the soak after which memory has to be flat: caches are full by then."""
MOST_GROWTH = 0.05
MOST_P99 = 3.0
SAMPLES = 120
VERSION = "2025-11-25"


def spare_the_collector() -> None:
    """In the processes beside the server: a walk over all their objects takes 80 ms, in which the
    calls that it answers seem slow."""
    gc.collect()
    gc.freeze()


def run_sandbox(port: int) -> None:
    """The Redmine, in a process of its own."""
    from redmine_mcp_sandbox import Sandbox

    async def serve() -> None:
        async with serving(Sandbox(f"http://127.0.0.1:{port}").app, port):
            spare_the_collector()
            await asyncio.Event().wait()

    asyncio.run(serve())


@asynccontextmanager
async def sandbox() -> AsyncIterator[Target]:
    from redmine_mcp_sandbox import Sandbox

    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=run_sandbox, args=(port,))
    process.start()
    try:
        url = f"http://127.0.0.1:{port}"
        await until(lambda: answers_with(200, f"{url}/login"))
        known = Sandbox(url)
        yield Target(url, known.client_id, known.client_secret)
    finally:
        process.kill()
        process.join()


@dataclass
class Load:
    """Calls, and how they went."""

    url: str
    people: list[Tokens]
    http: httpx.AsyncClient
    seconds: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    """By what went wrong."""
    _number: count[int] = field(default_factory=count)

    async def call(self, due: float) -> None:
        """Read an issue, which was due at a moment of the monotonic clock."""
        number = next(self._number)
        person = self.people[number % len(self.people)]
        params = {"name": "get_issue_details", "arguments": {"issue_id": 1}}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        headers = {
            "Authorization": f"Bearer {person.access}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
        }
        try:
            answer = await self.http.post(f"{self.url}/mcp", json=body, headers=headers)
            if answer.status_code != 200:
                self.errors[f"HTTP {answer.status_code}"] += 1
            elif '"isError":true' in answer.text:
                self.errors[answer.text[-200:]] += 1
        except httpx.HTTPError as error:
            self.errors[type(error).__name__] += 1
        self.seconds.append(time.monotonic() - due)

    async def as_fast_as_it_can(self) -> float:
        """Calls per second over some connections that never wait."""
        end = time.monotonic() + PEAK_SECONDS

        async def ask() -> None:
            while time.monotonic() < end:
                await self.call(time.monotonic())

        await asyncio.gather(*(ask() for _ in range(PEAK_CONNECTIONS)))
        done = len(self.seconds)
        self.seconds.clear()
        return done / PEAK_SECONDS

    async def at_a_rate(self, rate: float, end: float) -> None:
        """Begin a call each time one is due, whether or not those before are done."""
        under_way: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self.call(due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            due += 1 / rate
        await asyncio.gather(*under_way)


@dataclass(frozen=True)
class Sample:
    minute: float
    megabytes: float
    p50: float
    p99: float


def megabytes(pid: int) -> float:
    """Resident memory of a process and of its children."""
    total = 0
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total / 1e6


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


async def soak(load: Load, pid: int, rate: float, minutes: float) -> list[Sample]:
    samples: list[Sample] = []
    begun = time.monotonic()
    running = asyncio.create_task(load.at_a_rate(rate, begun + minutes * 60))
    seen = 0
    spinner = cycle("-\\|/")
    while not running.done():
        await asyncio.wait({running}, timeout=minutes * 60 / SAMPLES)
        recent, seen = load.seconds[seen:], len(load.seconds)
        if not recent:
            continue
        minute = (time.monotonic() - begun) / 60
        p50, p99 = (percentile(recent, part) * 1e3 for part in (0.5, 0.99))
        samples.append(Sample(minute, megabytes(pid), p50, p99))
        print(
            f"\r{next(spinner)} {minute:5.1f} min  {samples[-1].megabytes:6.1f} MB  "
            f"p50 {p50:5.1f} ms  p99 {p99:6.1f} ms  {load.errors.total()} errors ",
            end="",
            flush=True,
        )
    await running
    print()
    return samples


def verdict(load: Load, samples: list[Sample], rate: float, peak: float) -> bool:
    """Print what came out; whether it is as it must be."""
    p50, p99 = (percentile(load.seconds, part) * 1e3 for part in (0.5, 0.99))
    steady = samples[int(len(samples) * WARM_UP) :]
    quarter = max(1, len(steady) // 4)
    first = median(sample.megabytes for sample in steady[:quarter])
    last = median(sample.megabytes for sample in steady[-quarter:])
    print(f"peak: {peak:.0f} calls/s; soaked at {rate:.0f} calls/s: {len(load.seconds):,} calls")
    print(f"errors: {load.errors.total()} (target 0) {dict(load.errors.most_common(5)) or ''}")
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms: {p99 / p50:.2f} times (target <= {MOST_P99:g})")
    print(f"memory: {first:.1f} MB, then {last:.1f} MB: {last / first - 1:+.1%} (target +5 %)")
    return not load.errors and p99 <= MOST_P99 * p50 and last <= first * (1 + MOST_GROWTH)


async def run(minutes: float, workers: int, folder: Path, picture: Path) -> bool:
    port = free_port()
    async with sandbox() as target:
        environment = server_environment(
            target,
            port,
            folder / "tokens.sqlite3",
            MCP_WORKERS=str(workers),
            MCP_LOG_LEVEL="warning",
            # Three people make the calls of many.
            REDMINE_MAX_PER_USER="32",
            MCP_LIMIT_USER="100000000",
            MCP_LIMIT_CLIENT="100000000",
        )
        async with Process(folder / "server", environment, "serve") as process:
            url = f"http://127.0.0.1:{port}"
            await process.serves(url)
            people = [await sign_in(url, login) for login in ("alice", "bob", "carol")]
            limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
            async with httpx.AsyncClient(limits=limits, timeout=60) as http:
                load = Load(url, people, http)
                spare_the_collector()
                peak = await load.as_fast_as_it_can()
                samples = await soak(load, process.pid, peak / 2, minutes)
    good = verdict(load, samples, peak / 2, peak)
    minutes_of = [sample.minute for sample in samples]
    plot(
        picture,
        f"{minutes:g} minutes at {peak / 2:.0f} calls/s, half of the peak",
        [
            Panel("memory, MB", minutes_of, {"RSS": [s.megabytes for s in samples]}),
            Panel(
                "time of a call, ms",
                minutes_of,
                {"p50": [s.p50 for s in samples], "p99": [s.p99 for s in samples]},
            ),
        ],
    )
    print(f"plot: {picture}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "soak.svg")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        good = asyncio.run(run(options.minutes, options.workers, Path(folder), options.plot))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
