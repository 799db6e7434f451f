"""Every private name of FastMCP that we lean on, and nothing else.

Each is turned into a public method or function of ours here, so that a FastMCP release which
moves one is repaired in this file; ``tests/test_seams.py`` fails first and says which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from fastmcp import FastMCP
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.oauth_proxy.models import OAuthTransaction, UpstreamTokenSet
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client
from fastmcp.server.dependencies import get_context
from fastmcp.server.transforms.search import BM25SearchTransform
from fastmcp.tools import Tool
from joserfc.errors import JoseError
from mcp.shared.auth import OAuthClientInformationFull
from starlette.requests import Request
from starlette.responses import Response

CSRF_TOKEN = re.compile(r'name="csrf_token" value="([\w-]+)"')


def set_input_schema_lookup(
    server: FastMCP[Any], lookup: Callable[[str], dict[str, Any] | None]
) -> None:
    """Spare each ``tools/call`` of the 2026-07-28 era a hidden ``tools/list``.

    The SDK checks ``Mcp-Param-*`` headers against the tool's schema and, where it is given no
    lookup, lists all tools through all middleware to find it: fifty times the work (ADR 3).
    """
    server._mcp_server.get_tool_input_schema = lookup


class OpenSearch(BM25SearchTransform):
    """FastMCP's search over tools, with its two tools and the search as methods to override."""

    def search_tool(self) -> Tool:
        raise NotImplementedError

    def call_tool(self) -> Tool:
        raise NotImplementedError

    async def search(self, query: str) -> Sequence[Tool]:
        """The tools that are not listed and fit, best first, as far as the caller may see them."""
        return await self._search(await self._get_visible_tools(get_context()), query)

    def _make_search_tool(self) -> Tool:
        return self.search_tool()

    def _make_call_tool(self) -> Tool:
        return self.call_tool()


class OpenOAuthProxy(OAuthProxy):
    """FastMCP's OAuth proxy with the seams we need as methods to override."""

    @property
    def offered_scopes(self) -> list[str]:
        return self._default_scope_str.split()

    async def transaction(self, txn_id: str) -> OAuthTransaction | None:
        """A sign-in under way."""
        return await self._transaction_store.get(key=txn_id)

    async def registered_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """A client as it registered itself, or as its metadata document describes it."""
        return await super().get_client(client_id)

    def claims_of(self, token: str) -> dict[str, Any]:
        """The claims of an access token that we issued. Raises if it is not one."""
        return self.jwt_issuer.verify_token(token)

    async def upstream_tokens(self, token_id: str) -> UpstreamTokenSet | None:
        """The upstream tokens of a sign-in, as they are stored at this moment."""
        return await self._upstream_token_store.get(key=token_id)

    async def upstream_token_id(self, token: str, use: Literal["access", "refresh"]) -> str | None:
        """Which upstream tokens one of ours stands for; None if it stands for none any more."""
        try:
            claims = self.jwt_issuer.verify_token(token, expected_token_use=use)
        except (JoseError, ValueError):
            return None
        mapping = await self._jti_mapping_store.get(key=claims["jti"])
        return mapping.upstream_token_id if mapping else None

    def upstream_client(self) -> AsyncOAuth2Client:
        """The OAuth client that redeems and refreshes tokens at the upstream server."""
        return super()._create_upstream_oauth_client()

    async def refresh_upstream(self, tokens: UpstreamTokenSet) -> UpstreamTokenSet:
        """Refresh tokens at the upstream server during a request, and store the new ones."""
        return await super()._try_transparent_refresh(tokens)

    def claims_from(self, upstream_answer: dict[str, Any]) -> dict[str, Any] | None:
        """What of the upstream server's token answer goes into the tokens that we issue."""
        raise NotImplementedError

    async def consent_page(self, request: Request) -> Response:
        """The page that asks the person; it holds a CSRF token and sets its cookie."""
        return await super()._show_consent_page(request)

    async def consent_answer(self, request: Request) -> Response:
        """What follows from the person's answer."""
        return await super()._submit_consent(request)

    async def callback(self, request: Request) -> Response:
        """Where the upstream server sends the browser back to."""
        return await super()._handle_idp_callback(request)

    def _create_upstream_oauth_client(self) -> AsyncOAuth2Client:
        return self.upstream_client()

    async def _try_transparent_refresh(
        self, upstream_token_set: UpstreamTokenSet
    ) -> UpstreamTokenSet:
        return await self.refresh_upstream(upstream_token_set)

    async def _extract_upstream_claims(self, idp_tokens: dict[str, Any]) -> dict[str, Any] | None:
        return self.claims_from(idp_tokens)

    async def _show_consent_page(self, request: Request) -> Any:
        return await self.consent_page(request)

    async def _submit_consent(self, request: Request) -> Any:
        return await self.consent_answer(request)

    async def _handle_idp_callback(self, request: Request) -> Any:
        return await self.callback(request)
