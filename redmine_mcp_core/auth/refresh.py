"""Refreshing once, however many ask: over processes and replicas, and by clients that ask twice.

Redmine revokes the old pair of tokens when the new one is first used, so two refreshes of the same
token leave one of the two with tokens that are about to die. A lock in the store lets one through;
the others get what that one got.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.shared.auth import OAuthToken

from redmine_mcp_core.storage import Lease, StoreError, TokenStore

GRACE_SECONDS = 30
"""How long a client that repeats a refresh gets the same answer again. Clients do so when an answer
was lost on the way, or from two of their own servers at once."""
LOCK_SECONDS = 30.0
"""More than a refresh takes at worst (two tries of the upstream time-out)."""
WAIT_SECONDS = 20.0

_ANSWERS = "refresh-answers"


class RefreshOnce:
    """The lock and the memory that make a refresh happen once."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    def alone(self, upstream_token_id: str) -> AbstractAsyncContextManager[Lease]:
        """Within this block nobody else refreshes these tokens, on any replica.

        It is made with ``asynccontextmanager``, which cannot pass on the SDK's frozen exceptions
        (``TokenError``): let none of them leave the block.
        """
        return self._store.lock(f"refresh:{upstream_token_id}", ttl=LOCK_SECONDS, wait=WAIT_SECONDS)

    async def recall(self, refresh_token: str, client_id: str) -> OAuthToken | None:
        """What this refresh token gave a moment ago, to the same client."""
        record = await self._store.get(_digest(refresh_token), collection=_ANSWERS)
        if record is None or record["client_id"] != client_id:
            return None
        return OAuthToken.model_validate(record["answer"])

    async def remember(self, refresh_token: str, client_id: str, answer: OAuthToken) -> None:
        record: dict[str, Any] = {"client_id": client_id, "answer": answer.model_dump(mode="json")}
        await self._store.put(
            _digest(refresh_token), record, collection=_ANSWERS, ttl=GRACE_SECONDS
        )


class NotingStore:
    """A store that notes its failures, for callers that swallow them: FastMCP does."""

    def __init__(self, store: TokenStore, note: Callable[[StoreError], object]) -> None:
        self._store = store
        self._note = note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        try:
            return await self._store.get(key, collection=collection)
        except StoreError as error:
            self._note(error)
            raise


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
