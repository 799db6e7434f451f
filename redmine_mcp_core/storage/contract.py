"""What a token store must do, and how a plugin describes one.

It is py-key-value's ``AsyncKeyValue`` plus the few atomic operations that OAuth needs and that
protocol lacks. A store is handed ciphertext under hashed names (see ``encryption.py``), so a
backend never sees a token and cannot forget to encrypt one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, SupportsFloat, runtime_checkable

from key_value.aio.protocols import AsyncKeyValue

from redmine_mcp_core.storage.locks import Lease, hold

DEFAULT_COLLECTION = "default"
"""The collection that ``None`` and the empty text mean."""


@runtime_checkable
class TokenStore(AsyncKeyValue, Protocol):
    """A key-value store with the atomic operations OAuth needs. Inherit from it.

    An entry past its time to live (``ttl``, seconds) is never returned, swept or not. Every
    operation raises ``StoreUnavailable`` when the backend cannot be reached, ``TypeError`` for a
    value that JSON cannot hold, and ``ValueError`` for a time to live that is not a positive,
    finite number. Entries, locks and counters are three name spaces.
    """

    @abstractmethod
    async def ttl_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[tuple[dict[str, Any] | None, float | None]]:
        """Return the entries and their seconds left, in the order of their keys.

        ``(None, None)`` where there is none; None seconds for an entry that stays.
        """

    @abstractmethod
    async def put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Mapping[str, Any]],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write all the entries, or none of them, over whatever was there."""

    @abstractmethod
    async def delete_many(self, keys: Sequence[str], *, collection: str | None = None) -> int:
        """Delete the entries; return how many live ones there were."""

    @abstractmethod
    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out: of several callers at once, exactly one gets it."""

    @abstractmethod
    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; of several callers, exactly one gets True."""

    @abstractmethod
    async def acquire_lock(self, name: str, owner: str, *, ttl: SupportsFloat) -> int | None:
        """Take a free lock for ``ttl`` seconds, or None if somebody else has it.

        The number is the fence: it is larger than any before under this name. An owner who asks
        again while holding the lock gets the same number, and the time starts anew.
        """

    @abstractmethod
    async def release_lock(self, name: str, owner: str) -> bool:
        """Give a lock back; False, changing nothing, if ``owner`` does not hold it."""

    @abstractmethod
    async def increment(self, name: str, *, window: SupportsFloat, by: int = 1) -> int:
        """Add to a counter and return its sum; no addition is lost or counted twice.

        The first addition opens a window of so many seconds; when it has passed, the counter
        begins at zero again. Later additions do not prolong it. ``by`` is at least 1.
        """

    @abstractmethod
    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went.

        It works in steps that hold up other operations for milliseconds only.
        """

    @abstractmethod
    async def ping(self) -> None:
        """Return if the store can be read and written, else raise ``StoreUnavailable``."""

    def lock(
        self, name: str, *, ttl: float, wait: float = 10.0
    ) -> AbstractAsyncContextManager[Lease]:
        """Hold a lock: ``async with store.lock("refresh:7", ttl=30) as lease``.

        Waits up to ``wait`` seconds for another holder, then raises ``LockTimeout``. Raises
        ``LockLost`` on leaving, if the work took longer than ``ttl`` and the lock went to
        somebody else; ``lease.renew()`` asks in between, and prolongs it.
        """
        return hold(self, name, ttl=ttl, wait=wait)

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Return the entry, or None."""
        value, _ = await self.ttl(key, collection=collection)
        return value

    async def get_many(
        self, keys: Sequence[str], *, collection: str | None = None
    ) -> list[dict[str, Any] | None]:
        """Return the entries in the order of their keys."""
        return [value for value, _ in await self.ttl_many(keys, collection=collection)]

    async def ttl(
        self, key: str, *, collection: str | None = None
    ) -> tuple[dict[str, Any] | None, float | None]:
        """Return the entry and its seconds left, None for an entry that stays."""
        (found,) = await self.ttl_many([key], collection=collection)
        return found

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        """Write an entry over whatever was there."""
        await self.put_many([key], [value], collection=collection, ttl=ttl)

    async def delete(self, key: str, *, collection: str | None = None) -> bool:
        """Delete an entry; return whether there was a live one."""
        return await self.delete_many([key], collection=collection) == 1


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as a backend keeps it: under encryption, a hashed name and ciphertext."""

    collection: str
    key: str
    value: dict[str, Any] = field(repr=False)
    ttl: float | None = None
    """Seconds left; None for an entry that stays."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Something about a backend that works, but not as it should."""

    what: str
    """A part of a sentence, such as "it may evict sign-ins"."""
    advice: str
    """What to do, as a sentence."""


@runtime_checkable
class RecordStore(TokenStore, Protocol):
    """What a backend is: a token store that can be walked through, moved and re-encrypted.

    ``TextStore`` makes one out of less.
    """

    @abstractmethod
    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        """Return some live entries and the cursor to go on with, ``""`` after the last ones.

        An entry that is there all the while comes at least once; one that is written or deleted
        meanwhile may come or not. It takes no snapshot and holds no other operation up. Raises
        ``StoreUnavailable`` for a cursor that leads nowhere any more: start again.
        """

    @abstractmethod
    async def replace(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        """Give records new values where they still hold the old ones; return how many did.

        Each change is atomic by itself, and leaves the time to live as it is.
        """

    @abstractmethod
    async def load(self, records: Sequence[Record]) -> None:
        """Write records of another store over whatever is under their names."""

    @abstractmethod
    async def count(self, collection: str | None = None) -> int:
        """Return about how many entries there are: in a collection or, without one, in all.

        Those that have expired and are not swept yet may be among them. It holds up other
        operations for milliseconds only.
        """

    async def concerns(self) -> Sequence[Concern]:
        """Return what an operator should change about how the backend is set up."""
        return ()


@dataclass(frozen=True, slots=True)
class TokenStoreBackend:
    """A token store as a plugin describes it: nothing is opened until ``open`` is entered."""

    name: str
    schemes: tuple[str, ...]
    """The URL schemes of ``TOKEN_STORE_URL`` it answers to, without ``://``."""
    open: Callable[[str], AbstractAsyncContextManager[RecordStore]]
    """Opens the store at a URL; raises ``StoreError`` if that cannot be, closes it on exit."""
