"""Sealing one record: the keys, the cipher, and what a sealed record looks like.

A value is sealed with AES-256-GCM, bound to the name that it is stored under, so it cannot be
moved to another one. That is the hashed name: whoever walks through a store to give it a new key
knows no other.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES
_SEALED = "sealed"


class DoesNotOpen(Exception):
    """No key opens this record: it is another key's, damaged, moved, or never was sealed."""


@dataclass(frozen=True, slots=True)
class DerivedKeys:
    """The keys one secret gives, 32 bytes each; ``repr`` shows none of them."""

    encryption: bytes = field(repr=False)
    """Seals values; may be rotated (see ``EncryptedStore``)."""
    names: bytes = field(repr=False)
    """Hashes names; must outlive every entry."""
    signing: bytes = field(repr=False)
    """Signs the tokens handed to MCP clients."""
    request_state: bytes = field(repr=False)
    """Seals what a client carries from one round of a call to the next."""


def derive_keys(secret: str | bytes) -> DerivedKeys:
    """Derive independent keys from one secret with HKDF-SHA256 (RFC 5869).

    HKDF stretches nothing: a secret that can be guessed gives keys that can be guessed. Its
    length is the business of the settings. Raises ``ValueError`` for an empty secret.
    """
    material = secret.encode() if isinstance(secret, str) else secret
    if not material:
        raise ValueError("the secret to derive keys from is empty")

    def derive(purpose: bytes) -> bytes:
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"redmine-mcp/1/" + purpose).derive(
            material
        )

    return DerivedKeys(
        encryption=derive(b"store-encryption"),
        names=derive(b"store-names"),
        signing=derive(b"token-signing"),
        request_state=derive(b"request-state"),
    )


class Cipher:
    """Seals with the first key, opens with all of them.

    Nonces are random, 96 bits: NIST SP 800-38D section 8.3 allows 2**32 of them per key.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Use keys of 32 random bytes, else ``ValueError``."""
        if not keys:
            raise ValueError("at least one encryption key is needed")
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"encryption keys must have {KEY_BYTES} bytes")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        self._current = _key_id(keys[0])

    @property
    def has_one_key(self) -> bool:
        """Whether there is no other key than the one that seals."""
        return len(self._ciphers) == 1

    def seal(self, value: Mapping[str, Any], name: bytes) -> dict[str, Any]:
        """Return the record of a value under a name."""
        return self._seal(json.dumps(dict(value), separators=(",", ":")).encode(), name)

    def open(self, record: Mapping[str, Any], name: bytes) -> dict[str, Any]:
        """Return the value of a record; raise ``DoesNotOpen``."""
        value: dict[str, Any] = json.loads(self._open(record, name)[1])
        return value

    def reseal(self, record: Mapping[str, Any], name: bytes) -> dict[str, Any] | None:
        """Return the record under the first key, None if it is; raise ``DoesNotOpen``."""
        key_id, text = self._open(record, name)
        return None if key_id == self._current else self._seal(text, name)

    def _seal(self, text: bytes, name: bytes) -> dict[str, Any]:
        header = _VERSION + self._current
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text, header + name)
        return {_SEALED: base64.b64encode(header + nonce + sealed).decode()}

    def _open(self, record: Mapping[str, Any], name: bytes) -> tuple[bytes, bytes]:
        try:
            raw = base64.b64decode(record[_SEALED], validate=True)
            header, rest = raw[:_HEADER_BYTES], raw[_HEADER_BYTES:]
            if not header.startswith(_VERSION):
                raise KeyError(_VERSION)
            key_id = header[len(_VERSION) :]
            nonce, sealed = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
            return key_id, self._ciphers[key_id].decrypt(nonce, sealed, header + name)
        except (KeyError, TypeError, ValueError, binascii.Error, InvalidTag) as error:
            raise DoesNotOpen from error


def unambiguous(*parts: str) -> bytes:
    """Join strings so that no two lists of them give the same bytes."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)


def _key_id(key: bytes) -> bytes:
    """Tell keys apart in a record's header without telling anything about them."""
    return hmac.digest(key, b"redmine-mcp/1/key-id", "sha256")[:_KEY_ID_BYTES]
