"""Encryption round every token store, so that a stolen database gives no token and no name.

A value is sealed with AES-256-GCM, bound to its collection and key, so it cannot be moved to
another name. Names are keyed hashes: a thief cannot even test whether a known client or token id
is in the database. What this does not hide: how many entries there are, their size and their
expiry. Nor can it tell that a record was put back to an older state of itself under its own name.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from redmine_mcp_core.storage.contract import TokenStore

_log = logging.getLogger(__name__)

_KEY_BYTES = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES
_SEALED = "sealed"
_DEFAULT_COLLECTION = "default"


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """The keys one secret gives, 32 bytes each; ``repr`` shows none of them."""

    encryption: bytes = field(repr=False)
    """Seals values; may be rotated (see ``EncryptedStore``)."""
    names: bytes = field(repr=False)
    """Hashes names; must outlive every entry."""
    signing: bytes = field(repr=False)
    """Signs the tokens handed to MCP clients."""


def derive_keys(secret: str | bytes) -> DerivedKeys:
    """Derive independent keys from one secret with HKDF-SHA256 (RFC 5869).

    HKDF stretches nothing: a secret that can be guessed gives keys that can be guessed. Its
    length is the business of the settings. Raises ``ValueError`` for an empty secret.
    """
    material = secret.encode() if isinstance(secret, str) else secret
    if not material:
        raise ValueError("the secret to derive keys from is empty")

    def derive(purpose: bytes) -> bytes:
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"redmine-mcp/1/" + purpose).derive(
            material
        )

    return DerivedKeys(
        encryption=derive(b"store-encryption"),
        names=derive(b"store-names"),
        signing=derive(b"token-signing"),
    )


class EncryptedStore:
    """A ``TokenStore`` round another one, which sees only ciphertext and hashed names.

    The first of ``keys`` encrypts, all of them decrypt: to rotate, put a new key in front and
    drop the old one when the longest time to live has passed. ``name_key`` takes no part in that.
    It is a separate argument because a lookup has only the name to go by: under another name key
    no entry would be found again, and everybody would have to sign in anew. It guards names, not
    tokens, so a leaked encryption key is no reason to change it.

    A record that no key opens counts as absent, with one warning that does not name it. It still
    holds its place until it expires, is deleted or overwritten: ``set_if_absent`` answers False.

    Nonces are random, 96 bits: NIST SP 800-38D section 8.3 allows 2**32 of them per key.
    """

    def __init__(self, store: TokenStore, keys: Sequence[bytes], *, name_key: bytes) -> None:
        """Wrap ``store``; all keys are 32 random bytes, else ``ValueError``."""
        if not keys:
            raise ValueError("at least one encryption key is needed")
        if any(len(key) != _KEY_BYTES for key in (*keys, name_key)):
            raise ValueError(f"encryption and name keys must have {_KEY_BYTES} bytes")
        if name_key in keys:
            raise ValueError("the name key must differ from the encryption keys")
        self._store = store
        self._name_key = name_key
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])
        self._warned = False

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        name = self._name(key, collection)
        return self._open(await self._store.get(name.key, collection=name.collection), name)

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        name = self._name(key, collection)
        record, left = await self._store.ttl(name.key, collection=name.collection)
        value = self._open(record, name)
        return value, None if value is None else left

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        name = self._name(key, collection)
        await self._store.put(
            name.key, self._seal(value, name), collection=name.collection, ttl=ttl
        )

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        name = self._name(key, collection)
        return await self._store.delete(name.key, collection=name.collection)

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        names = [self._name(key, collection) for key in keys]
        records = await self._store.get_many(
            [name.key for name in names], collection=self._collection(collection)
        )
        return [self._open(record, name) for record, name in zip(records, names, strict=True)]

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

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""
        return await self._store.purge_expired()

    async def ping(self) -> None:
        """Return if the store can be read and written, else raise ``StoreUnavailable``."""
        await self._store.ping()

    def _collection(self, collection: str | None) -> str:
        return self._hash(b"collection", collection or _DEFAULT_COLLECTION)

    def _name(self, key: str, collection: str | None) -> _Name:
        collection = collection or _DEFAULT_COLLECTION
        return _Name(
            collection=self._collection(collection),
            key=self._hash(b"key", collection, key),
            clear=_unambiguous(collection, key),
        )

    def _hash(self, kind: bytes, *parts: str) -> str:
        digest = hmac.digest(self._name_key, kind + _unambiguous(*parts), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _seal(self, value: Mapping[str, Any], name: _Name) -> dict[str, Any]:
        text = json.dumps(dict(value), separators=(",", ":")).encode()
        header = _VERSION + self._current
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text, header + name.clear)
        return {_SEALED: base64.b64encode(header + nonce + sealed).decode()}

    def _open(self, record: dict[str, Any] | None, name: _Name) -> dict[str, Any] | None:
        if record is None:
            return None
        try:
            raw = base64.b64decode(record[_SEALED], validate=True)
            header, rest = raw[:_HEADER_BYTES], raw[_HEADER_BYTES:]
            if not header.startswith(_VERSION):
                raise KeyError(_VERSION)
            cipher = self._ciphers[header[len(_VERSION) :]]
            text = cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + name.clear)
        except (KeyError, TypeError, ValueError, binascii.Error, InvalidTag):
            self._warn()
            return None
        value: dict[str, Any] = json.loads(text)
        return value

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "The token store holds a record that no configured key opens; it counts as "
                "absent. If keys were changed, the old one has to stay in the list. "
                "This is said once."
            )


@dataclass(frozen=True, slots=True)
class _Name:
    """An entry's name: hashed for the store, in the clear for the cipher to bind."""

    collection: str
    key: str
    clear: bytes = field(repr=False)


def _unambiguous(*parts: str) -> bytes:
    """Join strings so that no two lists of them give the same bytes."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def _key_id(key: bytes) -> bytes:
    """Tell keys apart in a record's header without telling anything about them."""
    return hmac.digest(key, b"redmine-mcp/1/key-id", "sha256")[:_KEY_ID_BYTES]
