"""The store: each operation is one command or one script, so Redis makes it atomic.

Nothing is tried twice in here. An answer that was lost may belong to a command that was carried
out, and a GETDEL or SET NX sent again would then tell the winner that somebody else had won.
"""

from __future__ import annotations

import asyncio
import json
import math
import zlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, SupportsFloat

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode

from redmine_mcp_core import Record, RecordStore, StoreUnavailable
from redmine_mcp_storage_redis import names, scripts
from redmine_mcp_storage_redis.connecting import Client
from redmine_mcp_storage_redis.errors import speaking

_PING_MILLISECONDS = 1000
_SCAN_STEP = 200
_FENCE_MILLISECONDS = 3_600_000
"""How far the clock may be put back without a fence coming twice."""


class RedisStore(RecordStore):
    """A token store in Redis, for any number of replicas on any number of machines."""

    def __init__(
        self, client: Client, where: str, *, calls: int, patience: float, limit: float
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

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        async with self._turn():
            return _value(await self._client.get(names.entry(key, collection)))

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        (read,) = await self.ttl_many([key], collection=collection)
        return read

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        text, left = json.dumps(dict(value)), _milliseconds(ttl)
        async with self._turn():
            await self._client.set(names.entry(key, collection), text, px=left)

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        return await self.delete_many([key], collection=collection) == 1

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        return [value for value, _ in await self.ttl_many(keys, collection=collection)]

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        entries = [names.entry(key, collection) for key in keys]
        answers = await self._run(scripts.READ, entries) or []
        return [
            (_value(text), left / 1000 if left >= 0 else None)
            for text, left in zip(answers[::2], answers[1::2], strict=True)
        ]

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them."""
        left = _milliseconds(ttl) or ""
        entries = [names.entry(key, collection) for key, _ in zip(keys, values, strict=True)]
        await self._run(scripts.WRITE, entries, [(json.dumps(dict(v)), left) for v in values])

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        entries = [names.entry(key, collection) for key in keys]
        return await self._run(scripts.DELETE, entries) or 0

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out: of several callers on any replica, exactly one gets it."""
        async with self._turn():
            return _value(await self._client.getdel(names.entry(key, collection)))

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        text, left = json.dumps(dict(value)), _milliseconds(ttl)
        async with self._turn():
            name = names.entry(key, collection)
            return bool(await self._client.set(name, text, px=left, nx=True))

    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """Take or prolong a lock; None if another owner has it."""
        times = (_milliseconds(ttl), _FENCE_MILLISECONDS)
        fence = await self._run(scripts.LOCK, [names.lock(name)], [(owner, *times)])
        return None if fence is None else int(fence)

    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back, if ``owner`` holds it."""
        return bool(await self._run(scripts.UNLOCK, [names.lock(name)], [(owner,)]))

    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        """Add to a counter and return its sum."""
        if by < 1:
            raise ValueError("a counter only counts up: by must be at least 1")
        arguments = (by, _milliseconds(window))
        return int(await self._run(scripts.COUNT, [names.counter(name)], [arguments]))

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return some live entries; in a cluster, one node's after the other's."""
        async with self._turn():
            found, cursor = await self._scan(cursor)
        records: list[Record] = []
        for collection, keys in _by_collection(names.parse_entry(name.decode()) for name in found):
            reads = await self.ttl_many(keys, collection=collection)
            records += [
                Record(collection, key, value, left)
                for key, (value, left) in zip(keys, reads, strict=True)
                if value is not None
            ]
        return records, cursor

    async def replace(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        """Give records new values where they still hold the old ones."""
        texts = {
            (record.collection, record.key): (json.dumps(record.value), json.dumps(dict(value)))
            for record, value in changes
        }
        replaced = 0
        for collection, keys in _by_collection(texts):
            entries = [names.entry(key, collection) for key in keys]
            pairs = [texts[collection, key] for key in keys]
            replaced += await self._run(scripts.REPLACE, entries, pairs)
        return replaced

    async def load(self, records: Sequence[Record]) -> None:
        """Write records of another store."""
        by_name = {(record.collection, record.key): record for record in records}
        for collection, keys in _by_collection(by_name):
            written = [by_name[collection, key] for key in keys]
            pairs = [(json.dumps(r.value), _milliseconds(r.ttl) or "") for r in written]
            await self._run(scripts.WRITE, [names.entry(key, collection) for key in keys], pairs)

    async def purge_expired(self) -> int:
        """Return 0: Redis deletes what has expired by itself, and does not say how much."""
        return 0

    async def ping(self) -> None:
        """Return if Redis takes a write, else raise ``StoreUnavailable``.

        PING would be answered by a replica, too, and by a Redis that is out of memory.
        """
        async with self._turn():
            await self._client.set(names.PING, "", px=_PING_MILLISECONDS)

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
        self, script: str, keys: Sequence[str], arguments: Iterable[Iterable[Any]] = ()
    ) -> Any:
        """Run a script; with no keys there is nothing to do."""
        if not keys:
            return None
        flat = [argument for group in arguments for argument in group]
        async with self._turn():
            return await self._client.eval(script, len(keys), *keys, *flat)

    async def _scan(self, cursor: str) -> tuple[Sequence[Any], str]:
        if isinstance(self._client, Redis):
            position, found = await self._client.scan(
                int(cursor or 0), match=names.ENTRIES, count=_SCAN_STEP
            )
            return found, str(position or "")
        return await self._scan_cluster(cursor)

    async def _scan_cluster(self, cursor: str) -> tuple[Sequence[Any], str]:
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
        positions, found = await client.scan(
            position, match=names.ENTRIES, count=_SCAN_STEP, target_nodes=node
        )
        position = positions[node.name]
        if position == 0:
            turn += 1
        return found, f"{version}.{turn}.{position}" if turn < len(nodes) else ""


def _by_collection(entries: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    keys: dict[str, list[str]] = {}
    for collection, key in entries:
        keys.setdefault(collection, []).append(key)
    return list(keys.items())


def _value(text: bytes | str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _milliseconds(ttl: SupportsFloat | None) -> int | None:
    if ttl is None:
        return None
    seconds = float(ttl)
    if not 0 < seconds < math.inf:
        raise ValueError("a time to live must be a positive, finite number of seconds")
    return max(1, math.floor(seconds * 1000))
