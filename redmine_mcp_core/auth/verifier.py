"""Whether Redmine still stands by a token: its own ``/oauth/token/info``, remembered briefly.

Redmine's tokens are opaque and introspection (RFC 7662) is off in Redmine 6.1
(config/initializers/30-redmine.rb), so this is the one place to ask. It takes 1.6 ms.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

from cachetools import TTLCache
from fastmcp.server.auth import AccessToken, TokenVerifier

from redmine_mcp_core.auth.api_keys import API_KEY, KeyTicket, KeyVerifier
from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.redmine import Credential, Gateway, RedmineError, Unauthorized
from redmine_mcp_core.storage import StoreError

CACHE_SECONDS = 30
"""How long a token that Redmine vouched for is trusted without asking again."""
CACHE_SIZE = 10_000

outage: ContextVar[RedmineError | StoreError | None] = ContextVar(
    "redmine_mcp_outage", default=None
)
"""Why Redmine or the token store could not be asked about the token of the present request.

FastMCP turns every failure to verify into "invalid token", and clients then throw their tokens
away. This keeps "could not ask" apart from "was refused".
"""


class RedmineTokenVerifier(TokenVerifier):
    """Verifies Redmine's access tokens, and the API keys that stand in their place."""

    def __init__(self, gateway: Gateway, client_id: str, keys: KeyVerifier) -> None:
        super().__init__()
        self._gateway = gateway
        self._client_id = client_id
        self.keys = keys
        self._known: TTLCache[str, AccessToken] = TTLCache(CACHE_SIZE, CACHE_SECONDS)

    async def verify_token(self, token: str) -> AccessToken | None:
        """What Redmine says of a token; None if it does not stand by it.

        A token of another application is none of ours (RFC 9700, section 4.9.1), and one without
        scopes is refused because Redmine would take that as unrestricted.
        """
        ticket = KeyTicket.read(token)
        try:
            if ticket is None:
                return await self._verify_bearer(token)
            return await self.keys.verify(
                API_KEY, ticket.key, scopes=ticket.scopes, client_id=self._client_id
            )
        except RedmineError as error:
            log.warning("token_not_verified", reason=error.code)
            outage.set(error)
            return None

    async def _verify_bearer(self, token: str) -> AccessToken | None:
        known = self._known.get(digest_of(token))
        if known is not None and (known.expires_at or 0) > time.time():
            return known
        try:
            info = await self._gateway.request(
                "GET", "/oauth/token/info", credential=Credential.bearer(token)
            )
        except Unauthorized:
            return None
        if info.get("application", {}).get("uid") != self._client_id or not info.get("scope"):
            return None
        user_id = str(info["resource_owner_id"])
        verified = AccessToken(
            token=token,
            client_id=self._client_id,
            subject=user_id,
            scopes=list(info["scope"]),
            expires_at=int(time.time()) + int(info["expires_in"]),
            claims={"sub": user_id, "iss": self._gateway.base_url},
        )
        self._known[digest_of(token)] = verified
        return verified

    def forget(self, token: str) -> None:
        """Ask Redmine again about this token: its API has just refused it."""
        self._known.pop(digest_of(token), None)
