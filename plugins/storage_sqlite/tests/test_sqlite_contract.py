"""The SQLite store keeps the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redmine_mcp_storage_sqlite import plugin

from redmine_mcp_core import RecordStore
from redmine_mcp_core.testing.token_store_contract import RecordStoreContract


class TestSQLiteStore(RecordStoreContract):
    """The SQLite store."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[RecordStore]:
        (backend,) = plugin.register_token_stores()
        async with backend.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
            yield store
