"""What an operator should know of a Redis that works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core import Concern

(BACKEND,) = plugin.register_token_stores()

Asking = Callable[..., Awaitable[list[Concern]]]

CACHE = ["--maxmemory-policy", "allkeys-lru"]
APPENDING = ["--appendonly", "yes"]
NO_CONFIG = ["--rename-command", "CONFIG", ""]


async def concerns(url: str) -> list[Concern]:
    async with BACKEND.open(url) as store:
        return list(await store.concerns())


@pytest.fixture
def asking(server_class: Any, tmp_path: Path) -> Iterator[Asking]:
    """Asks a Redis with these options, which saves nothing unless they say so."""
    started = []

    async def ask(options: Sequence[str] = (), *commands: Sequence[str]) -> list[Concern]:
        server = server_class(tmp_path, options=options)
        started.append(server)
        for command in commands:
            server.ask(*command)
        return await concerns(server.url)

    yield ask
    for server in started:
        server.stop()


async def test_a_redis_that_is_a_cache(asking: Asking) -> None:
    """One that throws entries away when it is full says by which policy, and what to do."""
    (concern,) = await asking([*APPENDING, *CACHE])

    assert "maxmemory-policy allkeys-lru" in concern.what
    assert "noeviction" in concern.advice


async def test_a_redis_that_saves_nothing(asking: Asking) -> None:
    """Its restart signs everybody out; the operator is told before it happens."""
    (concern,) = await asking()

    assert "restart signs everybody out" in concern.what
    assert "appendonly yes" in concern.advice


async def test_a_redis_may_give_two_concerns(asking: Asking) -> None:
    """Both are told at once."""
    assert len(await asking(CACHE)) == 2


@pytest.mark.parametrize("options", [APPENDING, ["--save", "3600 1"]], ids=["log", "snapshots"])
async def test_a_redis_that_saves(asking: Asking, options: list[str]) -> None:
    """Either way of saving is enough to say nothing."""
    assert await asking(options) == []


async def test_a_redis_without_config(asking: Asking) -> None:
    """Managed ones often know no CONFIG: nothing is said that is not known."""
    assert await asking(NO_CONFIG) == []


async def test_a_user_who_may_not_ask(asking: Asking) -> None:
    """The user that the README makes has no CONFIG, and may have no INFO."""
    assert await asking([], ["ACL", "SETUSER", "default", "-config"]) == []
    assert await asking([], ["ACL", "SETUSER", "default", "-config", "-info"]) == []


async def test_a_cluster_is_asked_too(cluster: Any) -> None:
    """Its nodes are set up alike, so one of them answers."""
    found = []
    for save in ("3600 1", ""):
        for node in cluster.nodes:
            node.ask("CONFIG", "SET", "save", save)
        found.append(await concerns(cluster.url))

    assert found[0] == []
    (concern,) = found[1]
    assert "restart" in concern.what
