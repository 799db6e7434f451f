"""Walking through one collection of an encrypted store, for an operator."""

from __future__ import annotations

import secrets

import pytest

from redmine_mcp_core.storage import EncryptedStore, MemoryStore, derive_keys


def sealed(store: MemoryStore | EncryptedStore, secret: str) -> EncryptedStore:
    keys = derive_keys(secret)
    return EncryptedStore(store, [keys.encryption], name_key=keys.names)


async def test_one_collection_and_nothing_else() -> None:
    """Every value that our key opens comes, and none of another collection or another key."""
    backend = MemoryStore()
    ours, others = (sealed(backend, secrets.token_hex(16)) for _ in range(2))
    wanted = [{"n": n} for n in range(300)]
    for value in wanted:
        await ours.put(f"key {value['n']}", value, collection="sessions")
    await ours.put("key", {"n": -1}, collection="other")
    await others.put("key", {"n": -2}, collection="sessions")

    found = [value async for value in ours.walk("sessions")]

    assert sorted(found, key=lambda value: value["n"]) == wanted


async def test_a_store_that_cannot_be_walked_through() -> None:
    """It is a mistake in the program, and not an empty collection."""
    inner = sealed(MemoryStore(), "one secret")
    with pytest.raises(TypeError, match="RecordStore"):
        [value async for value in sealed(inner, "another secret").walk("sessions")]
