"""A request by a service account: from its opaque token to the API key that Redmine is asked with.

Both records are read at every request, so that a revocation holds at the next one on every replica.
Only Redmine's word for the key is remembered, as it is for the tokens of people.
"""

from __future__ import annotations

from cachetools import TTLCache
from fastmcp.server.auth import AccessToken

from redmine_mcp_core.auth.accounts import (
    TOKEN_PREFIX,
    IssuedToken,
    ServiceAccount,
    ServiceAccounts,
)
from redmine_mcp_core.auth.api_keys import API_KEY, KeyVerifier
from redmine_mcp_core.auth.pages.permissions import kind_of
from redmine_mcp_core.storage import StoreError

WAY = "account"
"""The claim ``way`` of an account's access token."""
TOUCH_SECONDS = 600
"""How exact "last used" is."""
CACHE_SIZE = 10_000


class AccountVerifier:
    """Verifies the tokens of service accounts."""

    def __init__(self, accounts: ServiceAccounts, keys: KeyVerifier) -> None:
        self._accounts = accounts
        self._keys = keys
        self._touched: TTLCache[str, bool] = TTLCache(CACHE_SIZE, TOUCH_SECONDS)

    @staticmethod
    def takes(token: str) -> bool:
        """Whether this is a token of an account, by its looks."""
        return token.startswith(TOKEN_PREFIX)

    async def verify(self, token: str) -> AccessToken | None:
        """What a token of an account allows; None for one that is not good, or no longer.

        The ``token`` of the answer is the Redmine API key and must not leave the server. Raises
        ``RedmineError`` or ``StoreError`` when they cannot be asked, which is no refusal.
        """
        found = await self._accounts.issued(token)
        if found is None:
            return None
        account, issued = found
        known = await self._keys.verify(
            API_KEY,
            account.api_key,
            scopes=[scope for scope in issued.scopes if scope in account.scopes],
            client_id=account.client_id,
        )
        if known is None:
            return None
        await self._touch(issued)
        return _described(known, account, issued)

    async def _touch(self, issued: IssuedToken) -> None:
        key = issued.token_id or issued.client_id
        if key in self._touched:
            return
        self._touched[key] = True
        try:
            await self._accounts.touch(issued)
        except StoreError:
            self._touched.pop(key, None)


def scopes_elsewhere(access: AccessToken) -> list[str]:
    """What other servers are told that a token is good for. They know no accounts that may only
    read, so of one such these are the scopes that read."""
    if not access.claims.get("read_only"):
        return access.scopes
    return [scope for scope in access.scopes if kind_of(scope) == "see"]


def _described(known: AccessToken, account: ServiceAccount, issued: IssuedToken) -> AccessToken:
    claims = {
        **known.claims,
        "way": WAY,
        "read_only": account.read_only,
        "iat": issued.issued,
    }
    return known.model_copy(update={"expires_at": issued.expires, "claims": claims})
