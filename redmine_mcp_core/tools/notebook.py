"""A small notebook per caller, so that a tool can remember across requests and replicas.

A server without sessions forgets everything between two calls. What a tool has to know later, such
as that a request was carried out already, it notes here: encrypted, under the caller's own names,
in the same store that the tokens rest in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.storage import LockTimeout, StoreError, TokenStore

COLLECTION = "notebook"


class NotebookFailed(RedmineError):
    """The store behind the notebook did not do its part."""

    code = "store_unavailable"
    retryable = True

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or "This server's own store failed, so what was done could not be noted down. "
            "Call again with the same arguments."
        )


class Notebook:
    """Notes of one caller. Every operation raises ``NotebookFailed`` if the store fails."""

    def __init__(self, store: TokenStore, owner: str) -> None:
        """``owner`` tells callers apart: nobody reads or overwrites another one's notes."""
        self._store = store
        self._owner = owner

    async def recall(self, name: str) -> dict[str, Any] | None:
        """The note under this name, or None if there is none any more."""
        with _spoken():
            return await self._store.get(self._key(name), collection=COLLECTION)

    async def remember(self, name: str, note: Mapping[str, Any], *, ttl: float) -> None:
        """Write a note, of JSON values and for ``ttl`` seconds, over what was there."""
        with _spoken():
            await self._store.put(self._key(name), note, collection=COLLECTION, ttl=ttl)

    async def claim(self, name: str, note: Mapping[str, Any], *, ttl: float) -> bool:
        """Write a note only where there is none; of several callers at once, one gets True."""
        with _spoken():
            return await self._store.set_if_absent(
                self._key(name), note, collection=COLLECTION, ttl=ttl
            )

    async def forget(self, name: str) -> None:
        with _spoken():
            await self._store.delete(self._key(name), collection=COLLECTION)

    @asynccontextmanager
    async def alone(self, name: str, *, ttl: float, wait: float) -> AsyncIterator[None]:
        """Within this block nobody else is in it under this name, on any replica.

        Waits up to ``wait`` seconds for another one to leave. One who stays longer than ``ttl``
        seconds, or dies, keeps nobody out any more; the block then ends with ``NotebookFailed``.
        """
        with _spoken():
            async with self._store.lock(f"{COLLECTION}:{self._key(name)}", ttl=ttl, wait=wait):
                yield

    def _key(self, name: str) -> str:
        return f"{self._owner}:{name}"


@contextmanager
def _spoken() -> Iterator[None]:
    """What the store says, as a sentence for the person."""
    try:
        yield
    except LockTimeout:
        raise NotebookFailed(
            "The same request is still being carried out. Call again with the same arguments."
        ) from None
    except StoreError as error:
        raise NotebookFailed from error
