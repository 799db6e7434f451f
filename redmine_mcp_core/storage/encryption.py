"""Encryption round every token store, so that a stolen database gives no token and no name.

Names are keyed hashes: a thief cannot even test whether a known client or token id is in the
database. What this does not hide: how many entries there are, their size and their expiry, and
how far a counter has counted. Nor can it tell that a record was put back to an older state of
itself under its own name.
"""

from __future__ import annotations

import base64
import hmac
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

from redmine_mcp_core.storage.contract import (
    DEFAULT_COLLECTION,
    Record,
    RecordStore,
    TokenStore,
)
from redmine_mcp_core.storage.sealing import KEY_BYTES, Cipher, DoesNotOpen, unambiguous

_log = logging.getLogger(__name__)


class EncryptedStore(TokenStore):
    """A token store round another one, which sees only ciphertext and hashed names.

    The first of ``keys`` encrypts, all of them decrypt: to rotate, put a new key in front and
    drop the old one after ``rotate_keys`` (see ``moving.py``). ``name_key`` takes no part in that.
    It is a separate argument because a lookup has only the name to go by: under another name key
    no entry would be found again, and everybody would have to sign in anew. It guards names, not
    tokens, so a leaked encryption key is no reason to change it.

    A record that no key opens counts as absent, with one warning that does not name it. It still
    holds its place until it expires, is deleted or overwritten: ``set_if_absent`` answers False.
    """

    def __init__(self, store: TokenStore, keys: Sequence[bytes], *, name_key: bytes) -> None:
        """Wrap ``store``; all keys are 32 random bytes, else ``ValueError``."""
        cipher = Cipher(keys)
        if len(name_key) != KEY_BYTES:
            raise ValueError(f"the name key must have {KEY_BYTES} bytes")
        if name_key in keys:
            raise ValueError("the name key must differ from the encryption keys")
        self._store = store
        self._cipher = cipher
        self._name_key = name_key
        self._warned = False

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        names = [self._name(key, collection) for key in keys]
        records = await self._store.ttl_many(
            [name.key for name in names], collection=self._collection(collection)
        )
        opened = [
            (self._open(record, name), left)
            for (record, left), name in zip(records, names, strict=True)
        ]
        return [(value, None if value is None else left) for value, left in opened]

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them."""
        names = [self._name(key, collection) for key in keys]
        await self._store.put_many(
            [name.key for name in names],
            [self._seal(value, name) for value, name in zip(values, names, strict=True)],
            collection=self._collection(collection),
            ttl=ttl,
        )

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        return await self._store.delete_many(
            [self._name(key, collection).key for key in keys],
            collection=self._collection(collection),
        )

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out. A record that no key opens is gone afterwards, too."""
        name = self._name(key, collection)
        return self._open(await self._store.pop(name.key, collection=name.collection), name)

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        name = self._name(key, collection)
        return await self._store.set_if_absent(
            name.key, self._seal(value, name), collection=name.collection, ttl=ttl
        )

    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """Take or prolong a lock; None if another owner has it."""
        return await self._store.acquire_lock(self._hash(b"lock", name), owner, ttl=ttl)

    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back, if ``owner`` holds it."""
        return await self._store.release_lock(self._hash(b"lock", name), owner)

    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        """Add to a counter and return its sum. The sum is not encrypted."""
        return await self._store.increment(self._hash(b"counter", name), window=window, by=by)

    @property
    def has_one_key(self) -> bool:
        """Whether every record that opens is under the same key."""
        return self._cipher.has_one_key

    def opens(self, record: Record) -> bool:
        """Tell whether a record that the store's ``scan`` returned opens with one of the keys."""
        try:
            self._cipher.open(record.value, unambiguous(record.collection, record.key))
        except DoesNotOpen:
            return False
        return True

    async def walk(self, collection: str) -> AsyncIterator[dict[str, Any]]:
        """Every value of a collection that a key opens, by a walk through the whole store.

        What is written or deleted meanwhile may come or not, and one may come twice. The store
        that this one is round must be a ``RecordStore``, else ``TypeError``.
        """
        store, hashed = self._records(), self._collection(collection)
        cursor = None
        while cursor != "":
            records, cursor = await store.scan(cursor or "")
            for record in records:
                if record.collection == hashed and self.opens(record):
                    yield self._cipher.open(
                        record.value, unambiguous(record.collection, record.key)
                    )

    async def count(self, collection: str) -> int:
        """About how many entries a collection has, those that no key opens included.

        The store that this one is round must be a ``RecordStore``, else ``TypeError``.
        """
        return await self._records().count(self._collection(collection))

    def reseal(self, record: Record) -> dict[str, Any] | None:
        """Return a record's value under the first key, None if it is; raise ``DoesNotOpen``."""
        return self._cipher.reseal(record.value, unambiguous(record.collection, record.key))

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""
        return await self._store.purge_expired()

    async def ping(self) -> None:
        """Return if the store can be read and written, else raise ``StoreUnavailable``."""
        await self._store.ping()

    def _records(self) -> RecordStore:
        if not isinstance(self._store, RecordStore):
            raise TypeError("only a RecordStore can be walked through and counted")
        return self._store

    def _collection(self, collection: str | None) -> str:
        return self._hash(b"collection", collection or DEFAULT_COLLECTION)

    def _name(self, key: str, collection: str | None) -> _Name:
        collection = collection or DEFAULT_COLLECTION
        return _Name(
            collection=self._collection(collection),
            key=self._hash(b"key", collection, key),
        )

    def _hash(self, kind: bytes, *parts: str) -> str:
        digest = hmac.digest(self._name_key, kind + unambiguous(*parts), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _seal(self, value: Mapping[str, Any], name: _Name) -> dict[str, Any]:
        return self._cipher.seal(value, name.bound)

    def _open(self, record: dict[str, Any] | None, name: _Name) -> dict[str, Any] | None:
        if record is None:
            return None
        try:
            return self._cipher.open(record, name.bound)
        except DoesNotOpen:
            self._warn()
            return None

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("record_not_opened")


@dataclass(frozen=True, slots=True)
class _Name:
    """An entry's name as the store sees it."""

    collection: str
    key: str

    @property
    def bound(self) -> bytes:
        """What the cipher binds a record to."""
        return unambiguous(self.collection, self.key)
