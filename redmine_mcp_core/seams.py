"""Every private name of FastMCP that we lean on, and nothing else.

Each is turned into a public method or function of ours here, so that a FastMCP release which
moves one is repaired in this file; ``tests/seams/`` fails first and says which.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, Literal, cast

import httpx2
from fastmcp.server.auth import AccessToken, OAuthProxy, ssrf
from fastmcp.server.auth.auth import PrivateKeyJWTClientAuthenticator
from fastmcp.server.auth.cimd import CIMDDocument, CIMDFetcher, CIMDFetchError
from fastmcp.server.auth.jwt_issuer import JWTIssuer
from fastmcp.server.auth.oauth_proxy.models import (
    ClientCode,
    OAuthTransaction,
    UpstreamTokenSet,
)
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client
from fastmcp.server.auth.ssrf import SSRFFetchError
from fastmcp.server.dependencies import get_context
from fastmcp.server.transforms.search import BM25SearchTransform
from fastmcp.tools import Tool
from joserfc.errors import JoseError
from mcp.server.auth.middleware.client_auth import ClientAuthenticator
from mcp.server.auth.provider import AuthorizationCode, RefreshToken
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

UPSTREAM_TOKENS = "mcp-upstream-tokens"
"""The collection with one entry for each sign-in that lives, and no longer than it does."""
CSRF_TOKEN = re.compile(r'name="csrf_token" value="([\w-]+)"')


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


def look_names_up_with(look_up: Callable[[str, int], Awaitable[list[str]]]) -> None:
    """How the fetches that FastMCP guards, of documents and of the keys they name, find addresses.

    By itself it takes a thread of those that asyncio has for everything. The module holds this
    function for the whole process, so giving it twice is giving it once.
    """
    ssrf.resolve_hostname = look_up  # type: ignore[assignment]


class DocumentFetcher(CIMDFetcher):
    """FastMCP's fetcher of client metadata documents, which trusts none for longer than a day.

    FastMCP keeps a thousand in memory, each for as long as its own headers say: a year, if a site
    that was broken into for an hour says so. And it takes a site that is away for a client that is
    unknown, at which clients throw their sign-ins away.
    """

    max_seconds = 86_400.0

    async def fetch(self, client_id_url: str) -> CIMDDocument:
        """A document. While its site is away, as it was, for a day (RFC 5861, section 4).

        Raises: ``CIMDFetchError`` or ``CIMDValidationError`` for a client that is unknown,
        ``HTTPException`` 503 if nobody can tell.
        """
        try:
            return await super().fetch(client_id_url)
        except (CIMDFetchError, SSRFFetchError) as error:
            if not _is_away(error):
                raise
            kept = self._cache.get(client_id_url)
            if kept and time.time() < kept.expires_at - kept.freshness_lifetime + self.max_seconds:
                return kept.doc
            raise HTTPException(503, headers={"Retry-After": "10"}) from error

    def _parse_cache_policy(self, headers: Mapping[str, str], now: float) -> Any:
        policy = super()._parse_cache_policy(headers, now)
        policy.freshness_lifetime = min(policy.freshness_lifetime, self.max_seconds)
        policy.expires_at = now + policy.freshness_lifetime
        return policy


def _is_away(error: Exception) -> bool:
    """Whether a site did not answer. FastMCP names the reason as the cause of its error, and has
    none where the site answered, but for the status in the text."""
    failed = error if isinstance(error, SSRFFetchError) else error.__cause__
    return failed is not None and (failed.__cause__ is not None or str(failed).startswith("HTTP 5"))


class OpenOAuthProxy(OAuthProxy):
    """FastMCP's OAuth proxy with the seams we need as methods to override."""

    @property
    def offered_scopes(self) -> list[str]:
        return self._default_scope_str.split()

    @property
    def resource_url(self) -> str:
        """The address of the MCP endpoint: the audience of our access tokens."""
        return str(self._resource_url)

    def url(self, path: str) -> str:
        """Where a path of ours is, as clients reach it."""
        return f"{str(self.base_url).rstrip('/')}{path}"

    # -- Who signs tokens --------------------------------------------------------------------------

    def token_issuer(self, issuer: str, audience: str, signing_key: bytes) -> JWTIssuer:
        """What issues and verifies our tokens; it cannot wait for anything while it does."""
        return JWTIssuer(issuer=issuer, audience=audience, signing_key=signing_key)

    async def before_tokens(self, token: str | None = None) -> None:
        """Called before tokens are issued or verified, with the one at hand: what the issuer
        cannot wait for is waited for here. Must not raise."""

    def set_mcp_path(self, mcp_path: str | None) -> None:
        super().set_mcp_path(mcp_path)
        self._jwt_issuer = self.token_issuer(
            str(self.issuer_url), self.resource_url, self._jwt_signing_key
        )

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        await self.before_tokens()
        return await super().exchange_authorization_code(client, authorization_code)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        await self.before_tokens(refresh_token.token)
        return await super().exchange_refresh_token(client, refresh_token, scopes)

    async def load_access_token(self, token: str) -> AccessToken | None:
        await self.before_tokens(token)
        return cast("AccessToken | None", await super().load_access_token(token))

    # -- Who is a client ---------------------------------------------------------------------------

    def client_authenticator(self) -> ClientAuthenticator:
        """What the token endpoint knows clients by, for endpoints of ours."""
        if self._cimd_manager is None:
            return ClientAuthenticator(self)
        return PrivateKeyJWTClientAuthenticator(
            provider=self,
            cimd_manager=self._cimd_manager,
            token_endpoint_url=self.token_endpoint_url,
        )

    def may_send_back_to(self, redirect_uri: str) -> bool:
        """Whether a sign-in under way may end at this address."""
        return super()._validate_client_redirect_uri(redirect_uri)

    def _validate_client_redirect_uri(self, redirect_uri: str) -> bool:
        return self.may_send_back_to(redirect_uri)

    # -- What is stored ----------------------------------------------------------------------------

    async def issued_code(self, code: str) -> ClientCode | None:
        """What an authorization code stands for, as long as it is good."""
        return await self._code_store.get(key=code)

    async def forget_code(self, code: str) -> None:
        """Make an authorization code good for nothing."""
        await self._code_store.delete(key=code)

    async def transaction(self, txn_id: str) -> OAuthTransaction | None:
        """A sign-in under way."""
        return await self._transaction_store.get(key=txn_id)

    async def keep_transaction(self, transaction: OAuthTransaction, *, ttl: float) -> None:
        """Write a sign-in under way over what it was."""
        await self._transaction_store.put(key=transaction.txn_id, value=transaction, ttl=ttl)

    def same_browser(self, request: Request, transaction: OAuthTransaction) -> bool:
        """Whether this is the browser in which the person gave consent."""
        token = transaction.consent_token
        return token is not None and self._verify_consent_binding_cookie(
            request, transaction.txn_id, token
        )

    def fetch_documents_with(self, fetcher: CIMDFetcher) -> None:
        """What fetches client metadata documents, where they are on."""
        if self._cimd_manager is not None:
            self._cimd_manager._fetcher = fetcher

    async def registered_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """A client as it registered itself, or as its metadata document describes it."""
        return await super().get_client(client_id)

    def claims_of(self, token: str) -> dict[str, Any]:
        """The claims of an access token that we issued. Raises if it is not one."""
        return self.jwt_issuer.verify_token(token)

    async def forget_upstream_tokens(self, token_id: str) -> None:
        """Take the upstream tokens of a sign-in out of the store: all of ours die with them."""
        await self._upstream_token_store.delete(key=token_id)

    async def upstream_tokens(self, token_id: str) -> UpstreamTokenSet | None:
        """The upstream tokens of a sign-in, as they are stored at this moment."""
        return await self._upstream_token_store.get(key=token_id)

    async def upstream_token_id(self, token: str, use: Literal["access", "refresh"]) -> str | None:
        """Which upstream tokens one of ours stands for; None if it stands for none any more."""
        await self.before_tokens(token)
        try:
            claims = self.jwt_issuer.verify_token(token, expected_token_use=use)
        except (JoseError, ValueError):
            return None
        mapping = await self._jti_mapping_store.get(key=claims["jti"])
        return mapping.upstream_token_id if mapping else None

    def upstream_client(self) -> AsyncOAuth2Client:
        """A new OAuth client that redeems and refreshes tokens at the upstream server."""
        client = copy(self._fastmcps_client)
        client._client = httpx2.AsyncClient(
            timeout=client._client.timeout, verify=self.upstream_certificates
        )
        return client

    @cached_property
    def upstream_certificates(self) -> ssl.SSLContext:
        """Whom to trust upstream. Reading them takes 15 ms, in which all other requests wait."""
        return httpx2.create_ssl_context()

    @cached_property
    def _fastmcps_client(self) -> AsyncOAuth2Client:
        """It reads the certificates again each time it is made: this one is only copied."""
        return super()._create_upstream_oauth_client()

    async def refresh_upstream(self, tokens: UpstreamTokenSet) -> UpstreamTokenSet:
        """Refresh tokens at the upstream server during a request, and store the new ones."""
        return await super()._try_transparent_refresh(tokens)

    def claims_from(self, upstream_answer: dict[str, Any]) -> dict[str, Any] | None:
        """What of the upstream server's token answer goes into the tokens that we issue."""
        raise NotImplementedError

    def cookie_name(self, name: str) -> str:
        """What a cookie of FastMCP's is called here, but for the prefix that browsers look at."""
        return name

    async def consent_page(self, request: Request) -> Response:
        """The page that asks the person; it holds a CSRF token and sets its cookie."""
        return await super()._show_consent_page(request)

    async def consent_answer(self, request: Request) -> Response:
        """What follows from the person's answer."""
        return await super()._submit_consent(request)

    async def callback(self, request: Request) -> Response:
        """Where the upstream server sends the browser back to."""
        return await super()._handle_idp_callback(request)

    def _cookie_name(self, base_name: str) -> str:
        return super()._cookie_name(self.cookie_name(base_name))

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
