"""The Redis store keeps the contract, over one Redis and over a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core import RecordStore
from redmine_mcp_core.testing.token_store_contract import RecordStoreContract


class TestRedisStore(RecordStoreContract):
    """The Redis store."""

    @pytest.fixture
    async def store(self, server: Any) -> AsyncIterator[RecordStore]:
        with Redis.from_url(server.url) as client:
            client.flushdb()
        (backend,) = plugin.register_token_stores()
        async with backend.open(server.url) as store:
            yield store


class TestRedisClusterStore(RecordStoreContract):
    """The Redis store over a cluster of three nodes."""

    @pytest.fixture
    async def store(self, cluster: Any) -> AsyncIterator[RecordStore]:
        cluster.forget()
        (backend,) = plugin.register_token_stores()
        async with backend.open(cluster.url) as store:
            yield store
