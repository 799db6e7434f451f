"""What is particular to Redis: where it is, what it refuses, what happens when it is gone."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core import Record, RecordStore, StoreError, StoreUnavailable

(BACKEND,) = plugin.register_token_stores()
CANARY = "s3cret"


async def ping(url: str) -> None:
    async with BACKEND.open(url) as store:
        await store.ping()


def test_it_answers_to_redis_with_and_without_tls() -> None:
    """The backend describes itself; nothing is opened for that."""
    assert BACKEND.name == "redis"
    assert set(BACKEND.schemes) == {
        *("redis", "redis+sentinel", "redis+cluster"),
        *("rediss", "rediss+sentinel", "rediss+cluster"),
    }


async def test_every_name_has_the_prefix_and_every_deadline_is_in_redis(server: Any) -> None:
    """In a Redis shared with others our names are told apart, and none outlives its time."""
    with Redis.from_url(server.url, decode_responses=True) as client:
        client.flushdb()
        async with BACKEND.open(server.url) as store:
            await store.put("key", {}, collection="a:b", ttl=1.5)
            await store.ping()
        left = client.pttl("redmine-mcp:{a%3Ab}:key")

        assert set(client.keys()) == {"redmine-mcp:{a%3Ab}:key", "redmine-mcp:ping"}
        assert 1000 < left <= 1500


async def test_two_replicas_share_one_store(server: Any) -> None:
    """Of callers on different connections exactly one takes an entry."""
    async with BACKEND.open(server.url) as one, BACKEND.open(server.url) as two:
        for turn in range(20):
            await one.put("code", {"turn": turn})
            taken = await asyncio.gather(*(store.pop("code") for store in [one, two] * 5))

            assert [value for value in taken if value] == [{"turn": turn}]


async def test_a_stopped_redis_is_unavailable_and_comes_back(own_server: Any) -> None:
    """While Redis is down every operation says so; once it is back, so is the store."""
    async with BACKEND.open(own_server.url) as store:
        await store.put("key", {"n": 1})
        own_server.stop()

        for operation in (
            store.get("key"),
            store.ttl("key"),
            store.put("key", {}),
            store.delete("key"),
            store.get_many(["key"]),
            store.ttl_many(["key"]),
            store.put_many(["key"], [{}]),
            store.delete_many(["key"]),
            store.pop("key"),
            store.set_if_absent("key", {}),
            store.acquire_lock("name", "alice", ttl=5),
            store.release_lock("name", "alice"),
            store.increment("name", window=5),
            store.scan(),
            store.replace([(Record("default", "key", {}), {})]),
            store.load([Record("default", "key", {})]),
            store.ping(),
        ):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await operation

        own_server.start()
        await store.put("key", {"n": 2})
        assert await store.get("key") == {"n": 2}


async def test_connections_that_died_idle_are_replaced_unnoticed(own_server: Any) -> None:
    """After a restart of Redis the first call on each pooled connection succeeds."""
    async with BACKEND.open(own_server.url) as store:
        await asyncio.gather(*(store.get("key") for _ in range(10)))
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)

        assert await asyncio.gather(*(store.get("key") for _ in range(10))) == [None] * 10


async def test_a_cancelled_call_leaves_no_answer_for_the_next_one(server: Any) -> None:
    """A reply that nobody waits for any more is never handed to another caller."""
    async with BACKEND.open(f"{server.url}?max_connections=2") as store:
        await store.put_many([str(n) for n in range(50)], [{"n": n} for n in range(50)])
        for n in range(50):
            task = asyncio.ensure_future(store.get("0"))
            for _ in range(n % 10):
                await asyncio.sleep(0)
            task.cancel()

            assert await store.get(str(n)) == {"n": n}


async def test_a_silent_redis_is_given_up_on() -> None:
    """A server that accepts and never answers costs a timeout, not a hanging request."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"redis://127.0.0.1:{mute.getsockname()[1]}/0?socket_timeout=0.05"
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            await ping(url)


async def test_more_callers_than_connections_wait_for_their_turn(server: Any) -> None:
    """The pool's limit delays callers, it does not refuse them."""
    async with BACKEND.open(f"{server.url}?max_connections=2") as store:
        await asyncio.gather(*(store.put(f"key-{n}", {"n": n}) for n in range(50)))
        with Redis.from_url(server.url) as client:
            ours = [c for c in client.client_list() if c["addr"] != _address(client)]

        assert len(ours) <= 2


def _address(client: Redis) -> str:
    return str(client.client_info()["addr"])


async def test_a_replica_that_cannot_be_written_is_not_taken(own_server: Any) -> None:
    """A read-only Redis fails at opening, not at the first sign-in."""
    with Redis.from_url(own_server.url) as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreUnavailable, match="read-only replica"):
            await ping(own_server.url)


async def test_a_full_redis_does_not_ping(own_server: Any) -> None:
    """Out of memory, Redis would answer PING; the store's ping says what is wrong."""
    async with BACKEND.open(own_server.url) as store:
        with Redis.from_url(own_server.url) as client:
            client.config_set("maxmemory", 1)
            with pytest.raises(StoreUnavailable, match="out of memory"):
                await store.ping()
            client.config_set("maxmemory", 0)
        await store.ping()


async def test_a_wrong_password_is_told_but_not_repeated(own_server: Any) -> None:
    """The error says what is wrong, and neither it nor its causes hold the password."""
    with Redis.from_url(own_server.url) as client:
        client.config_set("requirepass", "right")
        url = f"redis://:{CANARY}@127.0.0.1:{own_server.port}/0"
        with pytest.raises(StoreError, match="refuses the user name or password") as caught:
            await ping(url)
        await ping(url.replace(CANARY, "right"))

    assert not isinstance(caught.value, StoreUnavailable)
    assert CANARY not in _everything(caught.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"redis://:{CANARY}@one,two:6379/0", "several hosts"),
        (f"redis+sentinel://:{CANARY}@one,two", "which primary"),
        (f"redis+sentinel://:{CANARY}@one,two/tokens/x", "database's number"),
        (f"redis+cluster://:{CANARY}@one,two/1", "only database 0"),
        (f"redis+cluster://:{CANARY}@one,two:x", "percent-encoded"),
        (f"redis://one?sentinel_password={CANARY}", "not known"),
        (f"redis://:{CANARY}/x@host/0", "percent-encoded"),
        (f"redis://{CANARY}:12/x@host/0", "database's number"),
        (f"redis://host:12?{CANARY}@host", "not known"),
        (f"redis://host?password={CANARY}", "not known"),
        (f"redis://host?socket_timeout={CANARY}", "value"),
        (f"redis://:{CANARY}@host?wait_replicas=1&wait_ms=2900", "200 less than socket_timeout"),
        (f"redis://host?wait_replicas={CANARY}", "value"),
        (f"redis://host/{CANARY}", "database's number"),
        (f"redis://host:{CANARY}", "percent-encoded"),
        ("redis://host?ssl_cert_reqs=none", "not known for redis"),
    ],
)
async def test_a_url_that_cannot_be_used_is_refused(url: str, sentence: str) -> None:
    """Before anything is connected, in one sentence that repeats no part of the URL."""
    with pytest.raises(StoreError, match=sentence) as caught:
        await ping(url)

    assert CANARY not in _everything(caught.value)


async def test_a_sentinel_is_not_taken_for_a_redis(tmp_path: Path, server_class: Any) -> None:
    """Whoever names a Sentinel like a Redis is told how to write it."""
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text("")
    sentinel = server_class(tmp_path, configuration=configuration, options=["--sentinel"])
    try:
        with pytest.raises(StoreError, match=r"runs as sentinel; .* redis\+sentinel://"):
            await ping(sentinel.url)
    finally:
        sentinel.stop()


async def test_a_cluster_is_not_taken_for_a_redis(cluster: Any) -> None:
    """Whoever names a node of a cluster like a Redis is told how to write it, and vice versa."""
    with pytest.raises(StoreError, match=r"runs as cluster; .* redis\+cluster://"):
        await ping(cluster.nodes[0].url)


async def test_a_redis_is_not_taken_for_a_cluster(server: Any) -> None:
    """Whoever names a single Redis like a cluster is told how to write it."""
    with pytest.raises(StoreError, match=r"is no cluster \(then write redis://\)"):
        await ping(f"redis+cluster://127.0.0.1:{server.port}")


async def test_a_user_of_its_own_needs_few_rights(own_server: Any) -> None:
    """The ACL of the README is enough for every operation; no KEYS, no FLUSH."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text()
    (line,) = (line for line in readme.splitlines() if line.startswith("ACL SETUSER mcp "))
    own_server.ask(*line.split())
    async with BACKEND.open(f"redis://mcp:password@127.0.0.1:{own_server.port}/1") as store:
        await every_operation(store)


async def every_operation(store: RecordStore) -> None:
    await store.put_many(["a", "b"], [{}, {}], ttl=5)
    await store.ttl("a")
    await store.get_many(["a"])
    await store.set_if_absent("c", {})
    await store.delete_many(["a", "c"])
    assert await store.pop("b") == {}
    async with store.lock("name", ttl=5):
        await store.increment("name", window=5)
    records, _ = await store.scan()
    await store.load(records)
    assert await store.replace([(record, {"n": 1}) for record in records]) == len(records)


def _everything(error: BaseException | None) -> str:
    """Return what a traceback would print of the error and of what led to it."""
    text = ""
    while error is not None:
        text += f"{error!r} {error}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return text


async def test_a_lost_answer_is_an_error_and_not_a_second_try() -> None:
    """GETDEL sent twice would tell the winner that the entry was gone; so it is sent once."""
    seen: list[str] = []

    async def redis_that_hangs_up(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                await reader.readline()
                words.append((await reader.readline()).strip().decode())
            seen.append(words[0])
            if words[0] == "EVAL":
                break
            writer.write(b"$19\r\nredis_version:7.0.0\r\n" if words[0] == "INFO" else b"+OK\r\n")
        writer.close()

    async with await asyncio.start_server(redis_that_hangs_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with BACKEND.open(f"redis://127.0.0.1:{port}/0") as store:
            with pytest.raises(StoreUnavailable):
                await store.pop("code")

    assert seen.count("EVAL") == 1
