"""Encryption round the store that ``serve`` uses by default, down to the bytes on the disk."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redmine_mcp_storage_sqlite import plugin

from redmine_mcp_core.storage import EncryptedStore, TokenStore, open_store
from redmine_mcp_core.testing.token_store_contract import TokenStoreContract

BACKENDS = plugin.register_token_stores()
NAME_KEY = b"n" * 32


class TestEncryptedSQLiteStore(TokenStoreContract):
    """The SQLite store under encryption."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[TokenStore]:
        async with open_store(f"sqlite://{tmp_path}/tokens.sqlite3", BACKENDS) as store:
            yield EncryptedStore(store, [os.urandom(32)], name_key=os.urandom(32))


async def test_the_bytes_on_the_disk_give_nothing_away(tmp_path: Path) -> None:
    """Neither in the file nor in its -wal: no token, no key, no collection."""
    path = tmp_path / "tokens.sqlite3"
    async with open_store(f"sqlite://{path}", BACKENDS) as plain:
        store = EncryptedStore(plain, [os.urandom(32)], name_key=NAME_KEY)
        for number in range(100):
            await store.put(f"canary-key-{number}", {"t": "canary-token"}, collection="canary-c")
        await store.pop("canary-key-0", collection="canary-c")
        wal = path.with_name("tokens.sqlite3-wal").read_bytes()
        while_open = path.read_bytes() + wal
    afterwards = path.read_bytes()

    assert len(wal) > 10_000
    assert len(afterwards) > 10_000
    assert b"sealed" in while_open
    assert b"sealed" in afterwards
    assert b"canary" not in while_open
    assert b"canary" not in afterwards


async def test_keys_rotate_across_restarts(tmp_path: Path) -> None:
    """Old sign-ins outlive a new key in front; without the old key they are absent."""
    url = f"sqlite://{tmp_path}/tokens.sqlite3"
    old, new = os.urandom(32), os.urandom(32)
    async with open_store(url, BACKENDS) as plain:
        await EncryptedStore(plain, [old], name_key=NAME_KEY).put("key", {"n": 1})
    async with open_store(url, BACKENDS) as plain:
        assert await EncryptedStore(plain, [new, old], name_key=NAME_KEY).get("key") == {"n": 1}
        assert await EncryptedStore(plain, [new], name_key=NAME_KEY).get("key") is None
