"""The token store as FastMCP's proxy sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat

from redmine_mcp_core.storage import StoreError, TokenStore

CODE_SECONDS = 60
"""How long an authorization code is good (RFC 6749, section 4.1.2: at most ten minutes; RFC 9700
wants it short). A code is redeemed by a program, at once."""
TRANSACTION_SECONDS = 600
"""How long a sign-in under way may take: a person has to find their password."""

_AT_MOST = {
    "mcp-authorization-codes": CODE_SECONDS,
    "mcp-oauth-transactions": TRANSACTION_SECONDS,
    "mcp-consent-csrf-tokens": TRANSACTION_SECONDS,
}
"""Seconds, by FastMCP's collections. It would keep them for 5 and 15 minutes."""


class ProxyStore:
    """Keeps FastMCP's short-lived records no longer than it may, and notes the store's failures,
    which FastMCP swallows."""

    def __init__(self, store: TokenStore, note: Callable[[StoreError], object]) -> None:
        self._store = store
        self._note = note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put(
        self,
        key: str,
        value: Mapping[str, Any],
        *,
        collection: str | None = None,
        ttl: SupportsFloat | None = None,
    ) -> None:
        bound = _AT_MOST.get(collection or "")
        if bound is not None:
            ttl = min(float(ttl or bound), bound)
        await self._store.put(key, value, collection=collection, ttl=ttl)

    async def get(self, key: str, *, collection: str | None = None) -> dict[str, Any] | None:
        try:
            return await self._store.get(key, collection=collection)
        except StoreError as error:
            self._note(error)
            raise
