"""Redis killed, paused, restarted empty and failed over, while tokens are written and locked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core import RecordStore, StoreError, StoreUnavailable

(BACKEND,) = plugin.register_token_stores()

IMPATIENT = "?socket_connect_timeout=0.3&socket_timeout=0.3"
WAITING = "?socket_connect_timeout=0.3&socket_timeout=3&wait_replicas=1&wait_ms=1000"


async def until_back(call: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat a call until it succeeds; it may fail as unavailable only, and quickly."""
    give_up = time.monotonic() + 20
    while True:
        started = time.monotonic()
        try:
            return await call()
        except StoreUnavailable:
            assert time.monotonic() - started < 5
            assert time.monotonic() < give_up
            await asyncio.sleep(0.02)


def of_the_first_node(cluster: Any) -> str:
    """Return a collection that the node with a replica keeps."""
    names = ("c" * length for length in range(1, 100))
    return next(
        name for name in names if cluster.nodes[0].ask("CLUSTER", "KEYSLOT", f"{{{name}}}") < 5461
    )


class Writer:
    """Writes one entry after the other, and keeps which were acknowledged."""

    def __init__(self, store: RecordStore) -> None:
        self.store = store
        self.acknowledged: list[str] = []
        self.failed = 0
        self.stopped = False
        self.task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        number = 0
        while not self.stopped:
            number += 1
            try:
                await self.store.put(f"key-{number}", {"n": number})
            except StoreUnavailable:
                self.failed += 1
                await asyncio.sleep(0.02)
            else:
                self.acknowledged.append(f"key-{number}")

    async def go_on(self) -> None:
        """Wait for some more to be acknowledged."""
        enough = len(self.acknowledged) + 50
        async with asyncio.timeout(20):
            while len(self.acknowledged) < enough:  # noqa: ASYNC110 - no event for that
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.stopped = True
        await self.task


async def test_sentinels_failover_in_the_middle_of_writes(replicated: Any) -> None:
    """The primary is killed: calls fail for a moment, then go on; what was replicated is there."""
    async with BACKEND.open(replicated.url + IMPATIENT) as store:
        writer = Writer(store)
        await writer.go_on()
        await asyncio.to_thread(replicated.replicated)
        before = list(writer.acknowledged)
        replicated.primary.kill()
        await until_back(store.ping)
        at_return = len(writer.acknowledged)
        await writer.go_on()
        await writer.stop()
        kept = before + writer.acknowledged[at_return:]
        values = await store.get_many(kept)

    assert writer.failed > 0
    assert None not in values


async def test_a_write_that_waits_for_replicas_outlives_sentinels_failover(
    replicated: Any,
) -> None:
    """With ``wait_replicas``, all that was ever acknowledged is there after a failover.

    Without a replica, writes are refused; they go on when there is one again.
    """
    url = replicated.url + WAITING
    await asyncio.to_thread(replicated.replicated)
    async with BACKEND.open(url) as store:
        writer = Writer(store)
        await writer.go_on()
        replicated.primary.kill()
        await until_back(lambda: store.get("key-1"))
        with pytest.raises(StoreUnavailable, match="not copied a write to as many"):
            await store.put("alone", {})
        # Sentinel would tell it so, too, after ten seconds.
        replicated.primary.options += ["--replicaof", "127.0.0.1", str(replicated.replica.port)]
        replicated.primary.start()
        await writer.go_on()
        await writer.stop()
        values = await store.get_many(writer.acknowledged)

    assert writer.failed > 0
    assert values == [{"n": int(key.removeprefix("key-"))} for key in writer.acknowledged]


@pytest.mark.parametrize(("options", "loses"), [(IMPATIENT, True), (WAITING, False)])
async def test_what_no_replica_has_is_acknowledged_only_where_nobody_asks(
    replicated: Any, options: str, loses: bool
) -> None:
    """A primary that dies while its replica lags takes the last writes along: this is what the
    option is for. With it those writes were refused, and no lock was given either."""
    large = {"filler": "x" * 5_000_000}  # five of them are more than sockets hold back
    acknowledged = []
    await asyncio.to_thread(replicated.replicated)
    async with BACKEND.open(replicated.url + options) as store:
        await store.put("before", {})
        await asyncio.to_thread(replicated.replicated)
        replicated.replica.pause()
        for number in range(5):
            with suppress(StoreUnavailable):
                await store.put(f"key-{number}", large)
                acknowledged.append(f"key-{number}")
        with suppress(StoreUnavailable):
            assert await store.acquire_lock("refresh", "alice", ttl=60)
            acknowledged.append("lock")
        replicated.primary.kill()
        replicated.replica.resume()
        await until_back(lambda: store.get("before"))
        values = await until_back(lambda: store.get_many(acknowledged))

    assert (None in values) == loses
    assert bool(acknowledged) == loses


async def test_replicas_of_a_cluster_are_waited_for(own_cluster: Any) -> None:
    """The node that took the write is asked, on the same connection; a failover loses nothing."""
    collection = of_the_first_node(own_cluster)
    await asyncio.to_thread(own_cluster.replicated)
    async with BACKEND.open(own_cluster.url + WAITING) as store:
        assert await store.set_if_absent("key-0", {}, collection=collection)
        assert await store.pop("key-0", collection=collection) == {}
        for number in range(1, 100):
            await store.put(f"key-{number}", {"n": number}, collection=collection)
        own_cluster.nodes[0].kill()
        with pytest.raises(StoreUnavailable):
            await store.put("key", {}, collection=collection)
        values = await until_back(
            lambda: store.get_many([f"key-{n}" for n in range(1, 100)], collection=collection)
        )
        with pytest.raises(StoreUnavailable, match="not copied a write to as many"):
            await store.put("alone", {}, collection=collection)
        own_cluster.nodes[0].start()
        await until_back(lambda: store.put("key", {"n": 1}, collection=collection))

    assert values == [{"n": number} for number in range(1, 100)]


async def test_a_lock_outlives_sentinels_failover(replicated: Any) -> None:
    """Whoever held a lock holds it still, nobody else gets it, and the fence grows on."""
    async with BACKEND.open(replicated.url + IMPATIENT) as store:
        async with store.lock("refresh", ttl=60) as lease:
            await asyncio.to_thread(replicated.replicated)
            replicated.primary.kill()

            assert await until_back(lambda: store.acquire_lock("refresh", "bob", ttl=60)) is None
            await lease.renew()
        async with store.lock("refresh", ttl=60) as later:
            assert later.fence > lease.fence


async def test_a_primary_that_hangs_is_replaced(replicated: Any) -> None:
    """Paused, it is given up on; when it wakes, its late answers and its old role harm nobody."""
    async with BACKEND.open(replicated.url + IMPATIENT) as store:
        await store.put("key", {"n": 1})
        await asyncio.to_thread(replicated.replicated)
        replicated.primary.pause()
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            await store.put("key", {"n": 2})
        await until_back(lambda: store.put("key", {"n": 3}))
        replicated.primary.resume()
        await until_back(lambda: store.put("key", {"n": 4}))

        assert await store.get("key") == {"n": 4}


async def test_without_any_sentinel_it_is_unavailable(replicated: Any) -> None:
    """No Sentinel to ask is an outage at the start, and said so; an unknown service, too."""
    with pytest.raises(StoreUnavailable, match="/nobody cannot be reached"):
        await _open(replicated.url.replace("tokens", "nobody") + IMPATIENT)
    replicated.sentinel.kill()
    with pytest.raises(StoreUnavailable, match="/tokens cannot be reached"):
        await _open(replicated.url + IMPATIENT)


async def test_a_clusters_failover_in_the_middle_of_writes(own_cluster: Any) -> None:
    """A primary is killed: calls to its slots fail for a moment, then its replica serves them."""
    collection = of_the_first_node(own_cluster)
    async with BACKEND.open(own_cluster.url + IMPATIENT) as store:
        keys = [f"key-{number}" for number in range(100)]
        await store.put_many(keys, [{}] * len(keys), collection=collection)
        await asyncio.to_thread(own_cluster.replicated)
        own_cluster.nodes[0].kill()
        with pytest.raises(StoreUnavailable):
            await store.put("key", {}, collection=collection)
        await until_back(lambda: store.put("key", {}, collection=collection))
        values = await until_back(lambda: store.get_many(keys, collection=collection))
        # The other primaries count as part of it again, too.
        for name in ("a", "b", "d", "e"):
            await until_back(partial(store.put, "key", {}, collection=name))

    assert values == [{}] * len(keys)


async def test_a_paused_redis_is_given_up_on_and_comes_back(own_server: Any) -> None:
    """A Redis that hangs costs each call its time-out, and is used again when it wakes."""
    async with BACKEND.open(own_server.url + IMPATIENT) as store:
        await store.put("key", {"n": 1})
        own_server.pause()
        started = time.monotonic()
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            await store.get("key")
        assert time.monotonic() - started < 5
        own_server.resume()

        assert await until_back(lambda: store.get("key")) == {"n": 1}


async def test_an_empty_restart_takes_locks_away_but_no_fence_comes_twice(own_server: Any) -> None:
    """The holder of a lock that Redis has forgotten is told; whoever comes next is later."""
    fences = []

    async def work(store: RecordStore) -> None:
        async with store.lock("refresh", ttl=60) as lease:
            fences.append(lease.fence)
            own_server.kill()
            own_server.start()
            await until_back(store.ping)

    async with BACKEND.open(own_server.url + IMPATIENT) as store:
        with pytest.raises(StoreError, match="ran out"):
            await work(store)
        async with store.lock("refresh", ttl=60) as lease:
            assert lease.fence > fences[0]


async def test_a_killed_redis_that_keeps_a_log_loses_nothing(
    tmp_path: Any, server_class: Any
) -> None:
    """With ``appendonly yes`` and a sync at every write, what was acknowledged is there again."""
    options = ["--appendonly", "yes", "--appendfsync", "always"]
    server = server_class(tmp_path, options=options)
    try:
        async with BACKEND.open(server.url + IMPATIENT) as store:
            writer = Writer(store)
            await writer.go_on()
            server.kill()
            server.start()
            await until_back(store.ping)
            await writer.go_on()
            await writer.stop()
            values = await store.get_many(writer.acknowledged)
    finally:
        server.stop()

    assert None not in values


async def _open(url: str) -> None:
    async with BACKEND.open(url):
        raise StoreError("it opened")
