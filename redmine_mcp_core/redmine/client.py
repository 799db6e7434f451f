"""Redmine as one caller sees it: what a tool is handed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redmine_mcp_core.redmine.errors import AccountLocked, ServerError, Unauthorized
from redmine_mcp_core.redmine.gateway import Credential, Gateway
from redmine_mcp_core.redmine.reference import Kind

REST_ACCOUNT = "/my/account.json"
"""The cheapest question that needs a sign-in: 4 ms, and no scope."""


class Redmine:
    """Redmine's REST API, as the caller. It holds the caller's credential and never shows it."""

    def __init__(
        self,
        gateway: Gateway,
        credential: Credential,
        *,
        on_unauthorized: Callable[[], None] = lambda: None,
    ) -> None:
        self._gateway = gateway
        self._credential = credential
        self._on_unauthorized = on_unauthorized

    def __repr__(self) -> str:
        return f"Redmine({self._gateway.base_url!r})"

    @property
    def url(self) -> str:
        """Where people reach this Redmine, without a slash at the end."""
        return self._gateway.base_url

    async def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Read; nulls among the parameters are left out. Raises ``RedmineError``."""
        return await self._request("GET", path, params=params)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("POST", path, json=body)

    async def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("PUT", path, json=body)

    async def delete(self, path: str, **params: Any) -> dict[str, Any]:
        """Destroy. Raises ``RedmineError``; after ``TimedOut`` it may have been done."""
        return await self._request("DELETE", path, params=params)

    async def account(self) -> dict[str, Any]:
        """Who the caller is: id, login, firstname, lastname, and no API key."""
        user: dict[str, Any] = (await self.get(REST_ACCOUNT)).get("user", {})
        user.pop("api_key", None)
        return user

    async def names(self, kind: Kind) -> dict[int, str]:
        """Reference data: id to name, asked once in five minutes for all callers."""
        return await self._gateway.reference.names(kind, self.get)

    async def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            return await self._gateway.request(method, path, credential=self._credential, **options)
        except Unauthorized:
            self._on_unauthorized()
            raise
        except ServerError as error:
            if error.status == 500 and await self._is_locked(path):
                raise AccountLocked from None
            raise

    async def _is_locked(self, path: str) -> bool:
        """Whether Redmine fails on everything asked as this user.

        It does so for a locked user with a live token (``nil.oauth_scope=`` in
        app/controllers/application_controller.rb), and ``/oauth/token/info`` does not tell.
        """
        if path == REST_ACCOUNT:
            return True
        try:
            await self._gateway.request("GET", REST_ACCOUNT, credential=self._credential)
        except ServerError as error:
            return error.status == 500
        return False
