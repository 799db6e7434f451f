"""What others may see on the wire to Redis: nothing, and only the right Redis is talked to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core import StoreUnavailable

(BACKEND,) = plugin.register_token_stores()

KINDS = ["tls_server", "tls_replicated", "tls_cluster"]


@pytest.fixture(params=KINDS)
def redis(request: pytest.FixtureRequest) -> Any:
    """A Redis, a primary behind Sentinel, a cluster: each speaks TLS on every connection."""
    return request.getfixturevalue(request.param)


async def test_over_tls_with_the_right_certificate(redis: Any, certificate: Any) -> None:
    """A private certificate that the URL names is trusted, and all works as in the clear."""
    async with BACKEND.open(f"{redis.url}?ssl_ca_certs={certificate.path}") as store:
        for collection in "abcdef":  # in a cluster, on more nodes than one
            await store.put("key", {"n": 1}, collection=collection)
        async with store.lock("name", ttl=5):
            pass

        assert [await store.pop("key", collection=c) for c in "abcdef"] == [{"n": 1}] * 6


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    redis: Any, strange_certificate: Any
) -> None:
    """Where no certificate is named, or another one, nothing is sent; the error says so."""
    for url in (redis.url, f"{redis.url}?ssl_ca_certs={strange_certificate.path}"):
        with pytest.raises(StoreUnavailable, match="certificate"):
            async with BACKEND.open(url):
                pass


async def test_a_certificate_for_another_name_is_refused(tls_server: Any, certificate: Any) -> None:
    """It vouches for 127.0.0.1, so it is not taken for localhost's."""
    url = tls_server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(StoreUnavailable, match="certificate"):
        async with BACKEND.open(f"{url}?ssl_ca_certs={certificate.path}"):
            pass


async def test_in_the_clear_a_redis_that_speaks_tls_is_unavailable(redis: Any) -> None:
    """Whoever forgets the second s gets an error, and no password has gone over the wire."""
    with pytest.raises(StoreUnavailable):
        async with BACKEND.open(redis.url.replace("rediss", "redis")):
            pass


async def test_sentinels_failover_over_tls(tls_replicated: Any, certificate: Any) -> None:
    """The new primary is found and trusted like the old one."""
    options = f"?ssl_ca_certs={certificate.path}&socket_connect_timeout=0.3&socket_timeout=0.3"
    async with BACKEND.open(tls_replicated.url + options) as store:
        await store.put("key", {"n": 1})
        await asyncio.to_thread(tls_replicated.replicated)
        tls_replicated.primary.kill()
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await store.get("key") == {"n": 1}
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.02)
