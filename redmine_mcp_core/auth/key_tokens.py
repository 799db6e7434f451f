"""Sign-in by API key, behind the page that asks for it: what Redmine's token endpoint is otherwise.

A Redmine before 6.1 has no OAuth. So our page takes the person's key once, and from there on the
sign-in goes its ordinary way: the key became a code, the code becomes tokens, and those of the
client stand for the key as others stand for Redmine's tokens.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from fastmcp.server.auth.oauth_proxy.upstream import OAuthError

from redmine_mcp_core.auth.api_keys import (
    API_KEY,
    TOKEN_SECONDS,
    KeyTicket,
    KeyVerifier,
    credential_of,
)
from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.auth.identity import IDENTITY, identity
from redmine_mcp_core.storage import TokenStore

CODE_SECONDS = 60

_CODES = "key-login-codes"
_PREFIX = "key-"


class KeyTokens:
    """Codes and tokens that stand for API keys."""

    def __init__(self, store: TokenStore, verifier: KeyVerifier) -> None:
        self._store = store
        self._verifier = verifier

    async def code(self, key: str, scopes: Sequence[str], *, verifier: str) -> str | None:
        """A code for a key that Redmine knows, good once and for a minute; None for another.

        It is good in one sign-in, the one of this ``verifier``, as PKCE (RFC 7636) binds the codes
        of Redmine. Raises ``RedmineError`` when Redmine cannot be asked.
        """
        if await self._verifier.user(credential_of(API_KEY, key)) is None:
            return None
        code = _PREFIX + secrets.token_urlsafe(32)
        record = {"ticket": str(KeyTicket(key, tuple(scopes))), "sign_in": digest_of(verifier)}
        await self._store.put(code, record, collection=_CODES, ttl=CODE_SECONDS)
        return code

    async def redeem(self, code: str, *, verifier: str) -> dict[str, Any] | None:
        """The token answer for a code of ours; None for a code of Redmine's.

        Raises: ``OAuthError`` ``invalid_grant`` for a code of another sign-in, as ``renew`` does.
        """
        if not code.startswith(_PREFIX):
            return None
        record = await self._store.pop(code, collection=_CODES)
        ticket = KeyTicket.read(record["ticket"]) if record else None
        if record is None or ticket is None or record["sign_in"] != digest_of(verifier):
            raise OAuthError(error="invalid_grant")
        return await self.renew(ticket)

    async def renew(self, ticket: KeyTicket) -> dict[str, Any]:
        """A token answer for a key that Redmine still knows.

        Raises: ``OAuthError`` ``invalid_grant`` if it does not, ``RedmineError`` when Redmine
        cannot be asked.
        """
        user = await self._verifier.user(credential_of(API_KEY, ticket.key))
        if user is None:
            raise OAuthError(error="invalid_grant")
        return {
            "access_token": str(ticket),
            "refresh_token": str(ticket),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(ticket.scopes),
            IDENTITY: identity(user),
        }
