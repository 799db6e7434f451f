"""What a token store must do, and how a plugin describes one.

It is py-key-value's ``AsyncKeyValue`` plus the few atomic operations that OAuth needs and that
protocol lacks. A store is handed ciphertext under hashed names (see ``encryption.py``), so a
backend never sees a token and cannot forget to encrypt one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, SupportsFloat, runtime_checkable

from key_value.aio.protocols import AsyncKeyValue


class StoreError(Exception):
    """A token store cannot do what was asked; the message says what to do about it."""


class StoreUnavailable(StoreError):
    """The store cannot be reached now; asking again later may help."""


@runtime_checkable
class TokenStore(AsyncKeyValue, Protocol):
    """A key-value store with the atomic operations OAuth needs.

    An entry past its time to live (``ttl``, seconds) is never returned, swept or not. Every
    operation raises ``StoreUnavailable`` when the backend cannot be reached, ``TypeError`` for a
    value that JSON cannot hold, and ``ValueError`` for a time to live that is not a positive,
    finite number.
    """

    async def pop(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        """Take an entry out: of several callers at once, exactly one gets it."""

    async def set_if_absent(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> bool:
        """Write only where there is no live entry; of several callers, exactly one gets True."""

    async def purge_expired(self) -> int:
        """Delete what has expired; return how many entries went."""

    async def ping(self) -> None:
        """Return if the store can be read and written, else raise ``StoreUnavailable``."""


@dataclass(frozen=True, slots=True)
class TokenStoreBackend:
    """A token store as a plugin describes it: nothing is opened until ``open`` is entered."""

    name: str
    schemes: tuple[str, ...]
    """The URL schemes of ``TOKEN_STORE_URL`` it answers to, without ``://``."""
    open: Callable[[str], AbstractAsyncContextManager[TokenStore]]
    """Opens the store at a URL; raises ``StoreError`` if that cannot be, closes it on exit."""
