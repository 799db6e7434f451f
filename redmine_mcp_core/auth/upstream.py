"""The token endpoint of Redmine as FastMCP's proxy calls it, and who it was that signed in."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpx2
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client, OAuthError
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from redmine_mcp_core.auth.api_keys import KeyTicket
from redmine_mcp_core.auth.identity import IDENTITY, identity
from redmine_mcp_core.auth.key_tokens import KeyTokens
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.redmine import (
    Credential,
    Forbidden,
    Gateway,
    Redmine,
    RedmineError,
    ServerError,
    TimedOut,
    Unreachable,
)


@dataclass(slots=True)
class SignIn:
    """A sign-in that comes back from Redmine."""

    allowed: frozenset[str] = frozenset()
    """The scopes that the person allowed, here and on our page."""
    problem: RedmineError | None = None
    """Why it failed, for the page that says so."""


sign_in: ContextVar[SignIn] = ContextVar("redmine_mcp_sign_in")
"""The one under way."""


def as_redmine_error(error: Exception) -> RedmineError:
    """What an answer of Redmine's token endpoint, or its absence, means."""
    match error:
        case RedmineError():
            return error
        case httpx2.HTTPStatusError():
            return ServerError(error.response.status_code)
        case httpx2.TimeoutException():
            return TimedOut()
        case OAuthError(error="invalid_client"):
            return Forbidden(
                "Redmine does not know this server: its REDMINE_CLIENT_ID or "
                "REDMINE_CLIENT_SECRET is wrong. Tell the operator of this server."
            )
        case OAuthError():
            return Forbidden(f"Redmine did not accept the sign-in ({error.error}). Start again.")
        case _:
            return Unreachable()


class RedmineTokenClient:
    """FastMCP's token client; at a sign-in it also asks Redmine who has signed in.

    Asking here, once, keeps refreshes free of it and lets a locked user be told on a page. A
    sign-in by API key comes the same way, with a code and a refresh token that are our own.
    """

    def __init__(
        self,
        client: AsyncOAuth2Client,
        gateway: Gateway,
        *,
        keys: KeyTokens,
        refreshable_for: Callable[[], int],
    ) -> None:
        """``refreshable_for``: seconds for which the refresh token of this answer is good."""
        self._client = client
        self._gateway = gateway
        self._keys = keys
        self._refreshable_for = refreshable_for
        self.client_secret = client.client_secret

    async def fetch_token(self, url: str, **params: Any) -> dict[str, Any]:
        """Redeem a code. Raises ``RedmineError``, which ``sign_in`` keeps for the page."""
        try:
            answer = await self._redeem(url, params)
        except (RedmineError, OAuthError, httpx2.HTTPError, ValueError) as error:
            problem = as_redmine_error(error)
            sign_in.get().problem = problem
            raise problem from None
        return self._bounded(answer)

    async def refresh_token(self, url: str, **params: Any) -> dict[str, Any]:
        ticket = KeyTicket.read(str(params.get("refresh_token", "")))
        if ticket is not None:
            return self._bounded(await self._keys.renew(ticket))
        return self._bounded(await self._client.refresh_token(url, **params))

    async def _redeem(self, url: str, params: dict[str, Any]) -> dict[str, Any]:
        by_key = await self._keys.redeem(
            str(params.get("code", "")), verifier=str(params.get("code_verifier") or "")
        )
        if by_key is not None:
            return by_key
        answer = await self._client.fetch_token(url, **params)
        if not answer.get("scope"):
            raise Forbidden(
                "Redmine granted no permission at all, which it would take for every "
                "permission. Nothing was signed in."
            )
        # What Redmine is asked for stands in an address, and anybody can write another one.
        if not set(answer["scope"].split()) <= sign_in.get().allowed:
            raise Forbidden(
                "Redmine granted more than was allowed on our page. Nothing was signed in. "
                "Somebody may have passed a link on to you: start again from your client."
            )
        user = await Redmine(self._gateway, Credential.bearer(answer["access_token"])).account()
        return {**answer, IDENTITY: identity(user)}

    def _bounded(self, answer: dict[str, Any]) -> dict[str, Any]:
        """FastMCP makes our tokens good for as long as this says: none outlives its session."""
        left = max(1, self._refreshable_for())
        return {
            **answer,
            "expires_in": min(int(answer["expires_in"]), left),
            "refresh_expires_in": left,
        }

    async def aclose(self) -> None:
        await self._client.aclose()


REVOKE_TRIES = 8
"""With pauses of up to two minutes: some ten minutes."""


async def revoke(
    client: AsyncOAuth2Client, redmine_url: str, token: str, *, certificates: ssl.SSLContext
) -> None:
    """Have Redmine revoke a token and its refresh token. Never raises; a failure is logged."""
    form = {"token": token, "client_id": client.client_id}
    if client.client_secret:
        form["client_secret"] = client.client_secret
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(httpx2.HTTPError),
        wait=wait_random_exponential(multiplier=1, max=120),
        stop=stop_after_attempt(REVOKE_TRIES),
    )
    try:
        async with httpx2.AsyncClient(timeout=10, verify=certificates) as http:
            async for attempt in retrying:
                with attempt:
                    answer = await http.post(f"{redmine_url}/oauth/revoke", data=form)
                    answer.raise_for_status()
    except RetryError:
        log.warning("revocation_failed")
    finally:
        await client.aclose()
