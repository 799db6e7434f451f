"""The store: each operation is one command or one script, so Redis makes it atomic.

Nothing is tried twice in here. An answer that was lost may belong to a command that was carried
out, and a GETDEL or SET NX sent again would then tell the winner that somebody else had won.
"""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode

from redmine_mcp_core import Change, Concern, Record, Row, StoreUnavailable, TextStore
from redmine_mcp_storage_redis import names, scripts
from redmine_mcp_storage_redis.asking import NO_COPIES, Copies, ask
from redmine_mcp_storage_redis.connecting import Client, eviction, saves
from redmine_mcp_storage_redis.errors import speaking

_PING_MILLISECONDS = 1000
_SCAN_STEP = 200
_COUNT_STEP = 1000
_FENCE_MILLISECONDS = 3_600_000
"""How far the clock may be put back without a fence coming twice."""


class _Entry(NamedTuple):
    collection: str
    key: str


_E = TypeVar("_E", _Entry, Row, Change)


class RedisStore(TextStore):
    """A token store in Redis, for any number of replicas on any number of machines."""

    def __init__(
        self,
        client: Client,
        where: str,
        *,
        calls: int,
        patience: float,
        limit: float,
        copies: Copies = NO_COPIES,
    ) -> None:
        """Use a client that stays the caller's; ``where`` names it in errors.

        At most ``calls`` are under way at once. Another one waits up to ``patience`` seconds for
        its turn, and ``limit`` seconds, of which redis-py's own time-outs are a part, for Redis.
        """
        self._client = client
        self._where = where
        self._turns = asyncio.Semaphore(calls)
        self._patience = patience
        self._limit = limit
        self._copies = copies

    async def read(
        self, collection: str, keys: Sequence[str]
    ) -> list[tuple[bytes | None, float | None]]:
        """Return the live texts and their seconds left."""
        answers = await self._run(scripts.READ, _entries(collection, keys)) or []
        return [
            (text, left / 1000 if left >= 0 else None)
            for text, left in zip(answers[::2], answers[1::2], strict=True)
        ]

    async def write(self, rows: Sequence[Row]) -> None:
        """Write over whatever is there."""
        for collection, some in _by_collection(rows).items():
            entries = _entries(collection, [row.key for row in some])
            values = [(row.text, "" if row.ttl is None else _milliseconds(row.ttl)) for row in some]
            await self._run(scripts.WRITE, entries, values, copies=self._copies)

    async def add(self, row: Row) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        name = names.entry(row.key, row.collection)
        left = () if row.ttl is None else ("PX", _milliseconds(row.ttl))
        return bool(await self._ask("SET", name, row.text, "NX", *left, copies=self._copies))

    async def take(self, collection: str, keys: Sequence[str]) -> list[bytes]:
        """Take entries out: of several callers on any replica, exactly one gets each."""
        taken = await self._run(scripts.TAKE, _entries(collection, keys), copies=self._copies)
        return taken or []

    async def swap(self, changes: Sequence[Change]) -> int:
        """Change texts that are still the old ones."""
        swapped = 0
        for collection, some in _by_collection(changes).items():
            entries = _entries(collection, [change.key for change in some])
            texts = [(change.old, change.new) for change in some]
            swapped += await self._run(scripts.REPLACE, entries, texts, copies=self._copies)
        return swapped

    async def hold(self, name: str, owner: str, ttl: float) -> int | None:
        """Take or prolong a lock; None if another owner has it."""
        holding = (owner, _milliseconds(ttl), _FENCE_MILLISECONDS)
        key = names.lock(name)
        fence = await self._run(scripts.LOCK, [key], [holding], copies=self._copies)
        return None if fence is None else int(fence)

    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back, if ``owner`` holds it."""
        return bool(await self._run(scripts.UNLOCK, [names.lock(name)], [(owner,)]))

    async def count_up(self, name: str, by: int, window: float) -> int:
        """Add to a counter and return its sum."""
        arguments = (by, _milliseconds(window))
        return int(await self._run(scripts.COUNT, [names.counter(name)], [arguments]))

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return some live entries; in a cluster, one node's after the other's."""
        async with self._turn():
            found, cursor = await self._scan(cursor, _SCAN_STEP, names.ENTRIES)
        entries = [_Entry(*names.parse_entry(name.decode())) for name in found]
        records: list[Record] = []
        for collection, some in _by_collection(entries).items():
            keys = [entry.key for entry in some]
            texts = await self.read(collection, keys)
            records += [
                Record(collection, key, json.loads(text), left)
                for key, (text, left) in zip(keys, texts, strict=True)
                if text is not None
            ]
        return records, cursor

    async def count(self, collection: str | None = None) -> int:
        """Return about how many entries there are; the Redis may hold other things besides."""
        pattern = names.ENTRIES if collection is None else names.entries_of(collection)
        entries, cursor = 0, None
        while cursor != "":
            async with self._turn():
                found, cursor = await self._scan(cursor or "", _COUNT_STEP, pattern)
            entries += len(found)
        return entries

    async def purge_expired(self) -> int:
        """Return 0: Redis deletes what has expired by itself, and does not say how much."""
        return 0

    async def concerns(self) -> Sequence[Concern]:
        """A Redis that is set up as a cache may lose sign-ins: when it is full, or starts anew."""
        with speaking(self._where):
            policy = await eviction(self._client)
            saved = await saves(self._client)
        found = []
        if policy not in {"", "noeviction"}:
            found.append(
                Concern(
                    f"it throws sign-ins away when its memory is full (maxmemory-policy {policy})",
                    "Set maxmemory-policy to noeviction, or use a Redis that is no cache.",
                )
            )
        if saved is False:
            found.append(
                Concern(
                    "it saves nothing, so a restart signs everybody out (appendonly no, no save)",
                    "Set appendonly yes in its configuration, or use a Redis that is no cache.",
                )
            )
        return found

    async def ping(self) -> None:
        """Return if Redis takes a write, else raise ``StoreUnavailable``.

        PING would be answered by a replica, too, and by a Redis that is out of memory.
        """
        await self._ask("SET", names.PING, "", "PX", _PING_MILLISECONDS, copies=self._copies)

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(self._patience):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreUnavailable(
                f"Redis at {self._where} is too slow: all connections are in use."
            ) from None
        try:
            with speaking(self._where):
                async with asyncio.timeout(self._limit):
                    yield
        finally:
            self._turns.release()

    async def _run(
        self,
        script: str,
        keys: Sequence[str],
        arguments: Iterable[Iterable[Any]] = (),
        *,
        copies: Copies = NO_COPIES,
    ) -> Any:
        """Run a script; with no keys there is nothing to do."""
        if not keys:
            return None
        flat = [argument for group in arguments for argument in group]
        return await self._ask("EVAL", script, len(keys), *keys, *flat, copies=copies, key=keys[0])

    async def _ask(self, *command: Any, copies: Copies = NO_COPIES, key: str | None = None) -> Any:
        async with self._turn():
            return await ask(self._client, command, key or command[1], copies)

    async def _scan(self, cursor: str, step: int, pattern: str) -> tuple[Sequence[Any], str]:
        if isinstance(self._client, Redis):
            position, found = await self._client.scan(int(cursor or 0), match=pattern, count=step)
            return found, str(position or "")
        return await self._scan_cluster(cursor, step, pattern)

    async def _scan_cluster(
        self, cursor: str, step: int, pattern: str
    ) -> tuple[Sequence[Any], str]:
        """Go from primary to primary; the cursor says among which ones, at which, and where."""
        client: Any = self._client
        await client.initialize()
        nodes: list[ClusterNode] = sorted(client.get_primaries(), key=lambda node: node.name)
        version = zlib.crc32(" ".join(node.name for node in nodes).encode())
        known, turn, position = (int(part) for part in (cursor or f"{version}.0.0").split("."))
        if known != version:
            raise StoreUnavailable(
                f"Redis at {self._where} has changed its nodes in the middle of a walk through "
                "all entries; start again."
            )
        node = nodes[turn]
        positions, found = await client.scan(position, match=pattern, count=step, target_nodes=node)
        position = positions[node.name]
        if position == 0:
            turn += 1
        return found, f"{version}.{turn}.{position}" if turn < len(nodes) else ""


def _by_collection(entries: Iterable[_E]) -> dict[str, list[_E]]:
    found: dict[str, list[_E]] = {}
    for entry in entries:
        found.setdefault(entry.collection, []).append(entry)
    return found


def _entries(collection: str, keys: Iterable[str]) -> list[str]:
    return [names.entry(key, collection) for key in keys]


def _milliseconds(seconds: float) -> int:
    return max(1, math.floor(seconds * 1000))
