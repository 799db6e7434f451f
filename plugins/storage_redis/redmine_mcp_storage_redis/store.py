"""The store: each operation is one command, or one transaction, so Redis makes it atomic.

Nothing is tried twice in here. An answer that was lost may belong to a command that was carried
out, and a GETDEL or SET NX sent again would then tell the winner that somebody else had won.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat
from urllib.parse import quote

from redis.asyncio import Redis

from redmine_mcp_storage_redis.errors import speaking

PREFIX = "redmine-mcp:"
"""Begins every name, for a Redis that serves others as well."""

_DEFAULT_COLLECTION = "default"
_PING_MILLISECONDS = 1000


class RedisStore:
    """A ``TokenStore`` in one Redis, for any number of replicas on any number of machines."""

    def __init__(self, client: Redis, where: str) -> None:
        """Use a client that is open and stays the caller's; ``where`` names it in errors."""
        self._client = client
        self._where = where

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        with speaking(self._where):
            return _value(await self._client.get(_name(key, collection)))

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        (read,) = await self.ttl_many([key], collection=collection)
        return read

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        text, left = json.dumps(dict(value)), _milliseconds(ttl)
        with speaking(self._where):
            await self._client.set(_name(key, collection), text, px=left)

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        return await self.delete_many([key], collection=collection) == 1

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        if not keys:
            return []
        with speaking(self._where):
            texts = await self._client.mget([_name(key, collection) for key in keys])
        return [_value(text) for text in texts]

    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys."""
        if not keys:
            return []
        with speaking(self._where):
            async with self._client.pipeline(transaction=True) as commands:
                for name in (_name(key, collection) for key in keys):
                    commands.get(name)
                    commands.pttl(name)
                answers = await commands.execute()
        # PTTL answers -1 for an entry that stays, -2 for none.
        return [
            (_value(text), left / 1000 if left >= 0 else None)
            for text, left in zip(answers[::2], answers[1::2], strict=True)
        ]

    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them."""
        left = _milliseconds(ttl)
        texts = [
            (_name(key, collection), json.dumps(dict(value)))
            for key, value in zip(keys, values, strict=True)
        ]
        with speaking(self._where):
            async with self._client.pipeline(transaction=True) as commands:
                for name, text in texts:
                    commands.set(name, text, px=left)
                await commands.execute()

    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""
        if not keys:
            return 0
        with speaking(self._where):
            return int(await self._client.delete(*(_name(key, collection) for key in keys)))

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out: of several callers on any replica, exactly one gets it."""
        with speaking(self._where):
            return _value(await self._client.getdel(_name(key, collection)))

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; return whether it was written."""
        text, left = json.dumps(dict(value)), _milliseconds(ttl)
        with speaking(self._where):
            return bool(await self._client.set(_name(key, collection), text, px=left, nx=True))

    async def purge_expired(self) -> int:
        """Return 0: Redis deletes what has expired by itself, and does not say how much."""
        return 0

    async def ping(self) -> None:
        """Return if Redis takes a write, else raise ``StoreUnavailable``.

        PING would be answered by a replica, too, and by a Redis that is out of memory.
        """
        with speaking(self._where):
            await self._client.set(f"{PREFIX}ping", "", px=_PING_MILLISECONDS)


def _name(key: str, collection: str | None) -> str:
    # Quoted, a collection holds no colon, so where it ends is never in doubt.
    return f"{PREFIX}{quote(collection or _DEFAULT_COLLECTION, safe='')}:{key}"


def _value(text: bytes | str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _milliseconds(ttl: SupportsFloat | None) -> int | None:
    if ttl is None:
        return None
    seconds = float(ttl)
    if not 0 < seconds < math.inf:
        raise ValueError("a time to live must be a positive, finite number of seconds")
    return max(1, math.floor(seconds * 1000))
