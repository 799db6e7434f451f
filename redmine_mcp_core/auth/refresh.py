"""Refreshing once, however many ask: over processes and replicas, and by clients that ask twice.

Redmine revokes the old pair of tokens when the new one is first used, so two refreshes of the same
token leave one of the two with tokens that are about to die. A lock in the store lets one through;
the others get what that one got.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp.shared.auth import OAuthToken

from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.storage import Lease, TokenStore

GRACE_SECONDS = 30
"""How long a client that repeats a refresh gets the same answer again. Clients do so when an answer
was lost on the way, or from two of their own servers at once."""
LOCK_SECONDS = 30.0
"""More than a refresh takes at worst (two tries of the upstream time-out)."""
WAIT_SECONDS = 20.0

_ANSWERS = "refresh-answers"
_USED = "used-refresh-tokens"


class RefreshOnce:
    """The lock and the memory that make a refresh happen once."""

    def __init__(self, store: TokenStore, *, used_for: float) -> None:
        """``used_for``: seconds for which a used refresh token is known as such, which is as long
        as an unused one would have been good."""
        self._store = store
        self._used_for = used_for

    def alone(self, upstream_token_id: str) -> AbstractAsyncContextManager[Lease]:
        """Within this block nobody else refreshes these tokens, on any replica.

        No ``TokenError`` may leave the block: it is frozen, and ``asynccontextmanager`` cannot
        pass it on.
        """
        return self._store.lock(f"refresh:{upstream_token_id}", ttl=LOCK_SECONDS, wait=WAIT_SECONDS)

    async def recall(self, refresh_token: str, client_id: str) -> OAuthToken | None:
        """What this refresh token gave a moment ago, to the same client."""
        record = await self._store.get(digest_of(refresh_token), collection=_ANSWERS)
        if record is None or record["client_id"] != client_id:
            return None
        return OAuthToken.model_validate(record["answer"])

    async def remember(
        self, refresh_token: str, client_id: str, answer: OAuthToken, *, session_id: str
    ) -> None:
        """Keep an answer for the moment, and for long that this refresh token was used."""
        record: dict[str, Any] = {"client_id": client_id, "answer": answer.model_dump(mode="json")}
        digest = digest_of(refresh_token)
        await self._store.put(digest, record, collection=_ANSWERS, ttl=GRACE_SECONDS)
        await self._store.put(digest, {"session": session_id}, collection=_USED, ttl=self._used_for)

    async def session_of_used(self, refresh_token: str) -> str | None:
        """The session that a used refresh token belonged to; None for any other token."""
        record = await self._store.get(digest_of(refresh_token), collection=_USED)
        return record["session"] if record else None
