"""What encryption promises: a stolen store gives nothing away, and keys can be rotated."""

from __future__ import annotations

import base64
import json
import logging
import os
from typing import Any

import pytest

from redmine_mcp_core.storage import EncryptedStore, MemoryStore, derive_keys

NAME_KEY = b"n" * 32
OLD, NEW, OTHER = b"o" * 32, b"w" * 32, b"x" * 32
# Computed with nothing but HMAC, after RFC 5869 section 2.
ENCRYPTION = "1f6d36662c2da680e36b8421712f3c39b846d3b4f39d49ea7de753c15346018d"
NAMES = "36b8b493bbc1554580974f618961b2dd80f5911031f5d2d08ee9cf2f2fd4f269"
SIGNING = "5fb3a5812006fa7205712c099a343fa72d67374c626effbfe313be570688d5bf"

TOKEN: dict[str, Any] = {"access_token": "canary-token"}


def encrypted(store: MemoryStore, *keys: bytes) -> EncryptedStore:
    return EncryptedStore(store, keys or [OLD], name_key=NAME_KEY)


def everything(store: MemoryStore) -> str:
    return repr(store._entries)


def only_entry(store: MemoryStore) -> tuple[str | None, str, dict[str, Any]]:
    (((collection, key), (text, _)),) = store._entries.items()
    return collection, key, json.loads(text)


async def test_the_store_sees_neither_values_nor_names() -> None:
    """Neither tokens nor keys nor collections reach the store in the clear."""
    inner = MemoryStore()
    store = encrypted(inner)
    await store.put("canary-key", TOKEN, collection="canary-collection")
    await store.put_many(["canary-key-2"], [TOKEN], collection="canary-collection")
    await store.set_if_absent("canary-key-3", TOKEN)

    assert len(inner._entries) == 3
    assert "canary" not in everything(inner)
    assert base64.b64encode(b"canary").decode()[:7] not in everything(inner)


async def test_equal_values_and_keys_do_not_look_equal() -> None:
    """A thief cannot tell that two entries hold the same, or bear the same key."""
    inner = MemoryStore()
    store = encrypted(inner)
    await store.put("key", TOKEN, collection="one")
    await store.put("key", TOKEN, collection="two")

    assert len({key for _, key in inner._entries}) == 2
    assert len({text for text, _ in inner._entries.values()}) == 2


async def test_writing_the_same_twice_uses_two_nonces() -> None:
    """AES-GCM falls apart when a nonce comes back, so every write draws one."""
    inner = MemoryStore()
    store = encrypted(inner)
    nonces = set()
    for _ in range(100):
        await store.put("key", TOKEN)
        nonces.add(base64.b64decode(only_entry(inner)[2]["sealed"])[5:17])

    assert len(nonces) == 100


@pytest.mark.parametrize(("collection", "key"), [("a", "other"), ("other", "k"), ("ak", "")])
async def test_a_record_moved_to_another_name_does_not_open(collection: str, key: str) -> None:
    """Who can write to the database cannot put alice's token where bob's is looked for."""
    inner = MemoryStore()
    store = encrypted(inner)
    await store.put(key, TOKEN, collection=collection)
    target_collection, target_key, _ = only_entry(inner)
    await inner.delete(target_key, collection=target_collection)
    await store.put("k", TOKEN, collection="a")
    _, _, record = only_entry(inner)
    await inner.put(target_key, record, collection=target_collection)

    assert await store.get("k", collection="a") == TOKEN
    assert await store.get(key, collection=collection) is None


async def test_every_altered_bit_is_noticed() -> None:
    """Version, key id, nonce, ciphertext and tag: none can be changed unnoticed."""
    inner = MemoryStore()
    store = encrypted(inner)
    await store.put("key", {})
    collection, key, record = only_entry(inner)
    raw = base64.b64decode(record["sealed"])
    for position in range(len(raw)):
        altered = bytearray(raw)
        altered[position] ^= 1
        sealed = base64.b64encode(altered).decode()
        await inner.put(key, {"sealed": sealed}, collection=collection)

        assert await store.get("key") is None, position


@pytest.mark.parametrize(
    "record",
    [
        {},
        TOKEN,
        {"sealed": None},
        {"sealed": 7},
        {"sealed": ""},
        {"sealed": "AQ=="},
        {"sealed": "not base64!"},
        {"sealed": "žluťoučký"},
        {"sealed": base64.b64encode(b"\x01" * 5).decode()},
    ],
)
async def test_what_was_never_sealed_is_absent(record: dict[str, Any]) -> None:
    """A record in the clear, or garbage, is not taken for an entry and raises nothing."""
    inner = MemoryStore()
    store = encrypted(inner)
    await store.put("key", {})
    collection, key, _ = only_entry(inner)
    await inner.put(key, record, collection=collection, ttl=60)

    assert await store.get("key") is None
    assert await store.ttl("key") == (None, None)
    assert await store.get_many(["key"]) == [None]
    assert await store.ttl_many(["key"]) == [(None, None)]
    assert await store.pop("key") is None


async def test_keys_rotate() -> None:
    """With a new key in front, old entries open and new ones no longer need the old key."""
    inner = MemoryStore()
    await encrypted(inner, OLD).put("before", TOKEN)
    rotating = encrypted(inner, NEW, OLD)
    await rotating.put("after", TOKEN)

    assert await rotating.get_many(["before", "after"]) == [TOKEN, TOKEN]
    assert await encrypted(inner, NEW).get_many(["before", "after"]) == [None, TOKEN]
    assert await encrypted(inner, OLD).get_many(["before", "after"]) == [TOKEN, None]


async def test_rotation_finds_the_same_names() -> None:
    """A new encryption key moves no entry: what is overwritten or taken is the old record."""
    inner = MemoryStore()
    await encrypted(inner, OLD).put("key", {"n": 1})
    await encrypted(inner, NEW, OLD).put("key", {"n": 2})

    assert len(inner._entries) == 1
    assert await encrypted(inner, NEW, OLD).set_if_absent("key", {}) is False
    assert await encrypted(inner, NEW, OLD).pop("key") == {"n": 2}


async def test_a_record_of_a_lost_key_is_absent_but_holds_its_place() -> None:
    """A code that was used stays used, even when nobody can read any more by whom."""
    inner = MemoryStore()
    await encrypted(inner, OLD).put("used", TOKEN)
    store = encrypted(inner, OTHER)

    assert await store.get("used") is None
    assert await store.set_if_absent("used", TOKEN) is False
    assert await store.delete("used") is True


async def test_a_record_that_does_not_open_is_warned_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One warning, however many records; it holds neither name nor value."""
    inner = MemoryStore()
    await encrypted(inner, OLD).put_many(["canary-1", "canary-2"], [TOKEN, TOKEN])
    store = encrypted(inner, OTHER)
    with caplog.at_level(logging.DEBUG):
        await store.get("canary-1")
        await store.get_many(["canary-1", "canary-2"])

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "canary" not in caplog.text
    assert record.getMessage() == "record_not_opened"


async def test_another_name_key_finds_nothing() -> None:
    """Without the name key nobody can tell whether an entry exists."""
    inner = MemoryStore()
    await encrypted(inner).put("key", TOKEN)

    assert await EncryptedStore(inner, [OLD], name_key=OTHER).get("key") is None


@pytest.mark.parametrize(
    ("keys", "name_key"),
    [
        ([], NAME_KEY),
        ([b"short"], NAME_KEY),
        ([OLD, b"short"], NAME_KEY),
        ([OLD], b"short"),
        ([OLD], OLD),
    ],
)
def test_keys_that_would_weaken_it_are_refused(keys: list[bytes], name_key: bytes) -> None:
    """No key, a short one, or one key for two purposes is a mistake of the caller's."""
    with pytest.raises(ValueError, match="key"):
        EncryptedStore(MemoryStore(), keys, name_key=name_key)


def test_one_secret_gives_three_keys_that_differ() -> None:
    """Encryption, names and signing never share a key, and the same secret gives the same."""
    keys = derive_keys("a secret of the operator's")

    assert len({keys.encryption, keys.names, keys.signing}) == 3
    assert {32} == {len(key) for key in (keys.encryption, keys.names, keys.signing)}
    assert keys == derive_keys(b"a secret of the operator's")
    assert keys != derive_keys("another secret")


def test_derived_keys_stay_the_same_from_version_to_version() -> None:
    """An upgrade that changed them would sign everybody out: RFC 5869 fixes their values."""
    keys = derive_keys("secret")

    assert keys.encryption.hex() == ENCRYPTION
    assert keys.names.hex() == NAMES
    assert keys.signing.hex() == SIGNING


def test_keys_do_not_show_in_logs() -> None:
    """The repr of derived keys tells nothing."""
    assert repr(derive_keys("secret")) == "DerivedKeys()"


def test_an_empty_secret_is_refused() -> None:
    """Everybody knows the keys that nothing gives."""
    with pytest.raises(ValueError, match="empty"):
        derive_keys("")


async def test_a_name_that_is_not_valid_unicode_is_a_name_like_any_other() -> None:
    """A lone surrogate, as a broken client may send it, raises nothing."""
    store = encrypted(MemoryStore(), os.urandom(32))
    await store.put("\ud800", TOKEN, collection="\udfff")

    assert await store.get("\ud800", collection="\udfff") == TOKEN
