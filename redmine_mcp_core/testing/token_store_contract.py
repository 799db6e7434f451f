"""What every token store promises, as tests: a backend's own test file inherits them.

    class TestMyStore(RecordStoreContract):
        @pytest.fixture
        async def store(self, tmp_path):
            async with backend.open(f"mine://{tmp_path}") as store:
                yield store

It needs pytest, pytest-asyncio and Hypothesis, which is why nothing else imports this module.
"""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import pytest

from redmine_mcp_core.storage import Record, RecordStore, TokenStore
from redmine_mcp_core.testing.store_entries import (
    NESTED,
    ODD_NAMES,
    SOON,
    EntryContract,
    until_gone,
)
from redmine_mcp_core.testing.store_locks import LockContract
from redmine_mcp_core.testing.token_store_machine import run_machine


class TokenStoreContract(EntryContract, LockContract):
    """Inherit, and override the fixture ``store``. For a backend, see ``RecordStoreContract``."""

    pytestmark = pytest.mark.asyncio

    histories = 10
    """How many random histories a store is compared with a model over."""

    @pytest.fixture
    def store(self) -> TokenStore:
        """Return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    async def test_random_histories_agree_with_a_dictionary(self, store: TokenStore) -> None:
        """Whatever is done in whatever order, every answer is the one that a dictionary gives."""
        await run_machine(store, self.histories)


class RecordStoreContract(TokenStoreContract):
    """What a backend promises beyond: its records can be walked through, moved and replaced."""

    @pytest.fixture
    def store(self) -> RecordStore:
        """Return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    async def test_it_is_a_record_store(self, store: RecordStore) -> None:
        """A backend has all the operations that moving and re-encrypting need."""
        assert isinstance(store, RecordStore)

    async def test_a_scan_finds_every_entry(self, store: RecordStore) -> None:
        """All live entries of all collections, with value and time left; no lock, no counter."""
        keys = [f"key-{number}" for number in range(1000)]
        await store.put_many(keys, [{"k": key} for key in keys], collection="many", ttl=60)
        for number, name in enumerate(ODD_NAMES):
            await store.put(name, {"n": number}, collection=name)
        await store.put("gone", {}, ttl=SOON)
        await store.acquire_lock("name", "alice", ttl=30)
        await store.increment("name", window=30)
        await store.ping()
        await until_gone(lambda: store.get("gone"))

        records = {(record.collection, record.key): record for record in await walk(store)}
        many = [records.pop(("many", key)) for key in keys]
        assert [{"k": key} for key in keys] == [record.value for record in many]
        assert all(record.ttl and 0 < record.ttl <= 60 for record in many)
        assert records == {
            (name or "default", name): Record(name or "default", name, {"n": number})
            for number, name in enumerate(ODD_NAMES)
        }

    async def test_entries_are_counted(self, store: RecordStore) -> None:
        """About so many, in all or in one collection: locks, counters and what is gone are none."""
        assert await store.count() == 0
        for collection in ("a", "b", "ab"):
            keys = [f"key-{number}" for number in range(500)]
            await store.put_many(keys, [{}] * len(keys), collection=collection)
        await store.delete_many(keys[:200], collection="a")
        await store.acquire_lock("a", "alice", ttl=30)
        await store.increment("a", window=30)
        await store.ping()

        assert 1250 <= await store.count() <= 1350
        assert 285 <= await store.count("a") <= 315
        assert 475 <= await store.count("ab") <= 525
        assert await store.count("c") == 0

    async def test_a_collection_of_any_name_is_counted(self, store: RecordStore) -> None:
        """Whatever its name holds: no sign in it stands for another collection's."""
        for name in ODD_NAMES:
            await store.put("key", {}, collection=name)

        counted = {name: await store.count(name or "default") for name in ODD_NAMES}
        assert counted == dict.fromkeys(ODD_NAMES, 1)

    async def test_an_empty_store_has_nothing_to_scan(self, store: RecordStore) -> None:
        """The end of the walk is told, not an error."""
        assert await walk(store) == []

    async def test_a_scan_during_writes_finds_what_stays(self, store: RecordStore) -> None:
        """What is there all the while comes, whatever is written and deleted meanwhile."""
        keys = [f"key-{number}" for number in range(600)]
        await store.put_many(keys, [{}] * len(keys))
        found: set[str] = set()
        cursor, turn = "", 0
        while turn == 0 or cursor:
            records, cursor = await store.scan(cursor)
            found |= {record.key for record in records}
            await store.delete(f"new-{turn - 1}")
            await store.put_many([f"new-{turn}", "key-7"], [{}, {"turn": turn}])
            turn += 1

        assert set(keys) <= found

    async def test_replacing_keeps_the_time_to_live(self, store: RecordStore) -> None:
        """A record gets its new value, and as long to live as it had."""
        await store.put("limited", {"n": 1}, collection="c", ttl=60)
        await store.put("stays", {"n": 1})
        records = await walk(store)

        assert await store.replace([(record, {"n": 2}) for record in records]) == 2
        value, left = await store.ttl("limited", collection="c")
        assert value == {"n": 2}
        assert left is not None
        assert 50 < left <= 60
        assert await store.ttl("stays") == ({"n": 2}, None)

    async def test_replacing_leaves_newer_values_alone(self, store: RecordStore) -> None:
        """A record that was written or taken since it was read is not touched or brought back."""
        await store.put_many(["same", "written", "taken"], [NESTED] * 3)
        records = await walk(store)
        await store.put("written", {"n": 2})
        await store.pop("taken")

        assert await store.replace([(record, {"n": 3}) for record in records]) == 1
        assert await store.get_many(["same", "written", "taken"]) == [{"n": 3}, {"n": 2}, None]

    async def test_replacing_and_loading_nothing_is_nothing(self, store: RecordStore) -> None:
        """Empty lists are no error."""
        await store.load([])

        assert await store.replace([]) == 0

    async def test_loaded_records_are_entries(self, store: RecordStore) -> None:
        """What another store's scan returned is read, expires and is found under its name."""
        await store.put("b", {"old": True}, collection="c")
        await store.load(
            [
                Record("c", "a", NESTED, 60.0),
                Record("c", "b", {}, None),
                Record("default", "d", {"n": 1}, None),
            ]
        )

        value, left = await store.ttl("a", collection="c")
        assert value == NESTED
        assert left is not None
        assert 50 < left <= 60
        assert await store.ttl("b", collection="c") == ({}, None)
        assert await store.get("d") == {"n": 1}


async def walk(store: RecordStore) -> list[Record]:
    """Return all records of a store, each once."""
    records: dict[tuple[str, str], Record] = {}
    cursor = None
    while cursor != "":
        batch, cursor = await store.scan(cursor or "")
        records |= {(record.collection, record.key): record for record in batch}
    return list(records.values())
