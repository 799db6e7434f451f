"""The key pairs that sign our tokens, in the token store for all replicas.

They change while people are signed in: a new one is published first and signs once every replica
has seen it, and an old one goes on to verify for as long as a token of its making may be good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from joserfc import jwk

from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.storage import StoreError, StoreUnavailable, TokenStore

Algorithm = Literal["HS256", "RS256", "EdDSA"]

REREAD_SECONDS = 60
"""How old a replica's view of the keys may be."""
PUBLISHED_SECONDS = 120
"""How long a new key is published before it signs: twice as long as any replica, or any reader of
the JWKS, goes without looking."""
UNKNOWN_SECONDS = 1.0
"""At most one look into the store in so many seconds because of keys nobody has heard of."""
SLACK_SECONDS = 3600
"""Longer than a replica may lag behind, by its clock or because its store is away."""
LOCK_SECONDS = 10.0
RSA_BITS = 2048

_COLLECTION, _RING = "signing-keys", "ring"

KEY_PAIRS: dict[str, Callable[[], jwk.RSAKey | jwk.OKPKey]] = {
    "RS256": lambda: jwk.RSAKey.generate_key(RSA_BITS, {"use": "sig", "alg": "RS256"}),
    "EdDSA": lambda: jwk.OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"}),
}
"""How to make a pair, by the algorithm that it is for."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. Times are Unix times."""

    kid: str
    algorithm: str
    signs_from: float
    signs_until: float | None
    """None until there is a successor."""
    pair: jwk.Key = field(repr=False)

    @classmethod
    def made(cls, algorithm: str, signs_from: float) -> SigningKey:
        """A new pair. Its ``kid`` is its thumbprint (RFC 7638)."""
        pair = KEY_PAIRS[algorithm]()
        return cls(pair.thumbprint(), algorithm, signs_from, None, pair)

    @classmethod
    def read(cls, record: dict[str, Any]) -> SigningKey:
        pair = jwk.import_key(record["jwk"])
        return cls(
            pair.thumbprint(),
            record["jwk"]["alg"],
            record["signs_from"],
            record["signs_until"],
            pair,
        )

    def record(self, **changes: Any) -> dict[str, Any]:
        held = {"signs_from": self.signs_from, "signs_until": self.signs_until, **changes}
        return {"jwk": self.pair.as_dict(private=True), **held}

    def signs(self, now: float) -> bool:
        return self.signs_from <= now and (self.signs_until is None or now < self.signs_until)

    @property
    def public(self) -> dict[str, Any]:
        """Its entry in the JWKS."""
        return {**self.pair.as_dict(private=False), "kid": self.kid}


class Keyring:
    """This replica's view of the key pairs in the store."""

    def __init__(
        self,
        store: TokenStore,
        algorithm: Algorithm,
        *,
        lifetime: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``lifetime``: seconds for which the longest-lived token is good."""
        self.algorithm = algorithm
        self._store = store
        self._lifetime = lifetime
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    # -- For those who sign and verify -------------------------------------------------------------

    async def ready(self, kid: str | None = None) -> None:
        """Look into the store if it is time to, or if there is talk of a key not known here.

        A store that is away changes nothing: the keys known here go on to hold.
        """
        if not self._is_due(kid):
            return
        async with self._reading:
            if self._is_due(kid):
                try:
                    await self._look()
                except StoreError as error:
                    log.warning("signing_keys_not_read", reason=str(error))

    def signing_key(self) -> SigningKey | None:
        """The key to sign with at this moment; None stands for the secret of HS256.

        Raises ``StoreUnavailable`` where there should be one but the store has not told it.
        """
        if self.algorithm == "HS256":
            return None
        key = self._current()
        if key is None:
            raise StoreUnavailable("The signing keys could not be read from the token store yet.")
        return key

    def find(self, kid: str) -> SigningKey | None:
        """The key of this id, if its tokens are still to be trusted."""
        key = self._keys.get(kid)
        return None if key is None or self._is_over(key) else key

    def jwks(self) -> dict[str, Any]:
        """The public keys (RFC 7517, section 5), the one that will sign next among them."""
        return {"keys": [key.public for key in self.keys]}

    # -- For the operator --------------------------------------------------------------------------

    @property
    def keys(self) -> list[SigningKey]:
        """The keys known here whose tokens are trusted, newest first."""
        live = [key for key in self._keys.values() if not self._is_over(key)]
        return sorted(live, key=lambda key: -key.signs_from)

    def verifies_until(self, key: SigningKey) -> float | None:
        """When the last token of this key has expired; None while it has no successor."""
        if key.signs_until is None:
            return None
        return key.signs_until + self._lifetime + SLACK_SECONDS

    async def read(self) -> None:
        """Read the keys from the store, and make none. Raises ``StoreError``."""
        self._keep(await self._stored())

    async def rotate(self) -> SigningKey:
        """Publish a new key, which takes over from every other after ``PUBLISHED_SECONDS``.

        Raises ``ValueError`` for HS256, whose secret cannot change so, and ``StoreError``.
        """
        if self.algorithm == "HS256":
            raise ValueError("HS256 signs with a secret from the settings")
        async with self._store.lock("signing-keys", ttl=LOCK_SECONDS):
            keys = await self._stored()
            self._keep(keys)
            new = await self._make(PUBLISHED_SECONDS if self._current() else 0)
            others = [
                key.record(signs_until=min(key.signs_until or new.signs_from, new.signs_from))
                for key in keys
                if key.signs_from < new.signs_from
            ]
            await self._write([*others, new.record()])
        return new

    # -- The store ---------------------------------------------------------------------------------

    async def _look(self) -> None:
        self._keep(await self._stored())
        lacking = self.algorithm != "HS256" and self._current() is None
        if not lacking and not any(map(self._is_over, self._keys.values())):
            return
        async with self._store.lock("signing-keys", ttl=LOCK_SECONDS):
            # Another replica may have been here first.
            self._keep(await self._stored())
            records = [key.record() for key in self.keys]
            if self.algorithm != "HS256" and self._current() is None:
                records.append((await self._make(0)).record())
            await self._write(records)

    async def _stored(self) -> list[SigningKey]:
        held = await self._store.get(_RING, collection=_COLLECTION)
        return [SigningKey.read(record) for record in held["keys"]] if held else []

    async def _write(self, records: list[dict[str, Any]]) -> None:
        await self._store.put(_RING, {"keys": records}, collection=_COLLECTION)
        self._keep([SigningKey.read(record) for record in records])

    async def _make(self, delay: float) -> SigningKey:
        # An RSA pair takes a tenth of a second: too long for everybody else to wait.
        return await asyncio.to_thread(SigningKey.made, self.algorithm, self._clock() + delay)

    def _keep(self, keys: list[SigningKey]) -> None:
        self._keys = {key.kid: key for key in keys}
        self._read_at = self._clock()

    def _current(self) -> SigningKey | None:
        now = self._clock()
        fit = (key for key in self.keys if key.algorithm == self.algorithm and key.signs(now))
        return next(fit, None)

    def _is_over(self, key: SigningKey) -> bool:
        end = self.verifies_until(key)
        return end is not None and end <= self._clock()

    def _is_due(self, kid: str | None) -> bool:
        age = self._clock() - self._read_at
        unknown = kid is not None and kid not in self._keys
        return age >= (UNKNOWN_SECONDS if unknown else REREAD_SECONDS)
