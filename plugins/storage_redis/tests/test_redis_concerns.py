"""What an operator should know of a Redis that works."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redmine_mcp_storage_redis import plugin

(BACKEND,) = plugin.register_token_stores()


async def test_a_redis_that_is_a_cache(server: Any) -> None:
    """One that throws entries away when it is full says by which policy, and what to do."""
    found = {}
    with Redis.from_url(server.url) as client:
        for policy in ("allkeys-lru", "noeviction"):
            client.config_set("maxmemory-policy", policy)
            async with BACKEND.open(server.url) as store:
                found[policy] = await store.concerns()

    (concern,) = found["allkeys-lru"]
    assert "maxmemory-policy allkeys-lru" in concern.what
    assert "noeviction" in concern.advice
    assert list(found["noeviction"]) == []


async def test_a_cluster_is_asked_too(cluster: Any) -> None:
    """Its nodes are set up alike, so one of them answers."""
    async with BACKEND.open(cluster.url) as store:
        assert list(await store.concerns()) == []
