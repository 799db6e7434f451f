"""The memory store keeps the contract, alone and under encryption."""

from __future__ import annotations

import os

import pytest

from redmine_mcp_core.storage import EncryptedStore, MemoryStore, RecordStore, TokenStore
from redmine_mcp_core.testing.token_store_contract import RecordStoreContract, TokenStoreContract


class TestMemoryStore(RecordStoreContract):
    """The memory store."""

    histories = 50

    @pytest.fixture
    def store(self) -> RecordStore:
        return MemoryStore()


class TestEncryptedMemoryStore(TokenStoreContract):
    """The memory store under encryption."""

    @pytest.fixture
    def store(self) -> TokenStore:
        return EncryptedStore(MemoryStore(), [os.urandom(32)], name_key=os.urandom(32))


async def test_purging_counts_what_went() -> None:
    """purge_expired tells how many entries it deleted, and an entry ends at its very deadline."""
    now = 1000.0
    store = MemoryStore(clock=lambda: now)
    await store.put_many(["a", "b"], [{}, {}], ttl=5)
    await store.put("c", {}, ttl=5.5)
    now += 5

    assert await store.get_many(["a", "b", "c"]) == [None, None, {}]
    assert await store.purge_expired() == 2
    assert await store.purge_expired() == 0
