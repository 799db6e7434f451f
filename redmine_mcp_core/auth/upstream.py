"""The token endpoint of Redmine as FastMCP's proxy calls it, and who it was that signed in."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import httpx2
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client, OAuthError

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

IDENTITY = "redmine_user"
"""Where, in the token answer that FastMCP stores for us, we keep who signed in."""

sign_in_problem: ContextVar[RedmineError | None] = ContextVar(
    "redmine_mcp_sign_in_problem", default=None
)
"""Why the sign-in under way failed, for the page that says so."""


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

    Asking here, once, keeps refreshes free of it and lets a locked user be told on a page.
    """

    def __init__(self, client: AsyncOAuth2Client, gateway: Gateway) -> None:
        self._client = client
        self._gateway = gateway
        self.client_secret = client.client_secret

    async def fetch_token(self, url: str, **params: Any) -> dict[str, Any]:
        try:
            answer = await self._client.fetch_token(url, **params)
            if not answer.get("scope"):
                raise Forbidden(
                    "Redmine granted no permission at all, which it would take for every "
                    "permission. Nothing was signed in."
                )
            credential = Credential.bearer(answer["access_token"])
            user = await Redmine(self._gateway, credential).account()
        except (RedmineError, OAuthError, httpx2.HTTPError, ValueError) as error:
            problem = as_redmine_error(error)
            sign_in_problem.set(problem)
            raise problem from None
        name = f"{user.get('firstname', '')} {user.get('lastname', '')}".strip()
        answer[IDENTITY] = {"user_id": user["id"], "login": user["login"], "name": name}
        return answer

    async def refresh_token(self, url: str, **params: Any) -> dict[str, Any]:
        return await self._client.refresh_token(url, **params)

    async def aclose(self) -> None:
        await self._client.aclose()

    @staticmethod
    def identity(answer: dict[str, Any]) -> dict[str, Any] | None:
        """Who signed in, from a stored token answer."""
        identity: dict[str, Any] | None = answer.get(IDENTITY)
        return identity
