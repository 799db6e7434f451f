"""The authorization server that MCP clients see, in front of Redmine's own.

FastMCP's ``OAuthProxy`` does the protocol. What is added here is Redmine: its scopes, its people,
and the difference between "Redmine refuses" and "Redmine cannot be asked".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
from cachetools import TTLCache
from fastmcp.server.auth import AccessToken
from fastmcp.server.auth.oauth_proxy.models import ProxyDCRClient, UpstreamTokenSet
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client
from key_value.aio.protocols import AsyncKeyValue
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from mcp.server.auth.provider import (
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    RefreshToken,
    TokenError,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.authentication import AuthenticationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.refresh import NotingStore, RefreshOnce
from redmine_mcp_core.auth.upstream import RedmineTokenClient, as_redmine_error, sign_in_problem
from redmine_mcp_core.auth.verifier import RedmineTokenVerifier, outage
from redmine_mcp_core.events import Event, EventKind
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import Gateway
from redmine_mcp_core.seams import CSRF_TOKEN, OpenOAuthProxy
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.storage import StoreError, TokenStore

RETRY_AFTER = 5
"""Seconds that a client is asked to wait while Redmine cannot be asked."""
CODE_CLAIMS = "authorization-code-claims"
CODE_SECONDS = 300
"""How long FastMCP keeps an authorization code, so how long a used one must be remembered."""
RECENT_SECONDS = 300
"""How long a sign-in goes on while the token store is away."""
RECENT_SIZE = 10_000
REFRESH_AHEAD = 60
"""Seconds before the end of a Redmine token at which it is renewed."""


class RedmineOAuthProxy(OpenOAuthProxy):
    """Sign-in with Redmine for MCP clients. The Redmine token never leaves the server."""

    def __init__(
        self,
        settings: Settings,
        *,
        gateway: Gateway,
        store: TokenStore,
        jwt_signing_key: bytes,
        scopes: Sequence[str],
        plugins: Plugins,
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._plugins = plugins
        self._once = RefreshOnce(store)
        self._recent: TTLCache[bytes, AccessToken] = TTLCache(RECENT_SIZE, RECENT_SECONDS)
        self._own_client_id = settings.redmine_client_id
        self.verifier = RedmineTokenVerifier(gateway, settings.redmine_client_id)
        secret = settings.redmine_client_secret
        super().__init__(
            upstream_authorization_endpoint=f"{settings.redmine_url}/oauth/authorize",
            upstream_token_endpoint=f"{settings.redmine_url}/oauth/token",
            upstream_client_id=settings.redmine_client_id,
            upstream_client_secret=secret.get_secret_value() if secret else None,
            # FastMCP would send an empty secret for a public client.
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
            token_verifier=self.verifier,
            base_url=settings.public_url,
            valid_scopes=list(scopes),
            # Redmine ignores resource indicators (RFC 8707); ours are checked before.
            forward_resource=False,
            allowed_client_redirect_uris=settings.mcp_allowed_redirect_uris or None,
            client_storage=cast("AsyncKeyValue", NotingStore(store, outage.set)),
            jwt_signing_key=jwt_signing_key,
            # Redmine approves silently after the first grant, so this page is all that stands
            # between a user and a stranger's client.
            require_authorization_consent=True,
            token_expiry_threshold_seconds=REFRESH_AHEAD,
        )

    # -- Scopes --------------------------------------------------------------------------------

    def get_challenge_scopes(self, required_scopes: list[str] | None = None) -> list[str]:
        """The scopes named by a 401, so that a client asks for what the tools need."""
        return self.offered_scopes if required_scopes is None else required_scopes

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """A client, which may ask for any scope on offer: the person decides at each sign-in.

        What it registered with may be older than a plugin that was added since. Our own client ID
        at Redmine is no client of ours: FastMCP would take it for one with any redirect URI.
        """
        if client_id == self._own_client_id:
            return None
        client = await self.registered_client(client_id)
        return client and client.model_copy(update={"scope": " ".join(self.offered_scopes)})

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        """Start a sign-in. One that asks for no scope gets those the client registered for.

        Redmine by itself would grant three public ones, and answers a scope beyond what its
        application has with a page that leads nowhere; so none such is ever sent there.
        """
        if not params.scopes:
            registered = await self.registered_client(client.client_id or "")
            wanted = (registered.scope or "").split() if registered else []
            offered = self.offered_scopes
            params = params.model_copy(
                update={"scopes": [scope for scope in wanted if scope in offered] or offered}
            )
        if not params.scopes:
            raise AuthorizeError("invalid_scope", "No plugin of this server asks for any scope.")
        return await super().authorize(client, params)

    # -- The Redmine side ----------------------------------------------------------------------

    def upstream_client(self) -> AsyncOAuth2Client:
        return RedmineTokenClient(super().upstream_client(), self._gateway)  # type: ignore[return-value]

    def claims_from(self, upstream_answer: dict[str, Any]) -> dict[str, Any] | None:
        return RedmineTokenClient.identity(upstream_answer)

    # -- Refreshing ----------------------------------------------------------------------------

    async def refresh_upstream(self, tokens: UpstreamTokenSet) -> UpstreamTokenSet:
        """Renew Redmine's tokens in passing, unless another request has just done so."""
        async with self._once.alone(tokens.upstream_token_id):
            stored = await self.upstream_tokens(tokens.upstream_token_id)
            if stored and stored.access_token != tokens.access_token:
                return stored
            try:
                return await super().refresh_upstream(stored or tokens)
            except httpx2.HTTPError as error:
                outage.set(as_redmine_error(error))
                raise

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        client_id = client.client_id or ""
        with _postponing():
            again = await self._once.recall(refresh_token, client_id)
            found = None if again else await super().load_refresh_token(client, refresh_token)
            if again is None and found is None:
                # Another request may be at it just now: wait for what it gets.
                async with self._once.alone(refresh_token):
                    again = await self._once.recall(refresh_token, client_id)
        if again is None:
            return found
        scopes = (again.scope or "").split()
        return RefreshToken(token=refresh_token, client_id=client_id, scopes=scopes)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        """Refresh for a client; one that asks twice within a moment gets the same answer twice.

        Raises: ``HTTPException`` 503 while Redmine or the store cannot be asked, which ends
        nothing: the refresh token stays good.
        """
        token, client_id = refresh_token.token, client.client_id or ""
        refused: TokenError | None = None
        with _postponing():
            async with self._once.alone(token):
                answer = await self._once.recall(token, client_id)
                token_id = await self.upstream_token_id(token, "refresh")
                if answer is None and token_id is not None:
                    async with self._once.alone(token_id):
                        try:
                            answer = await super().exchange_refresh_token(
                                client, refresh_token, scopes
                            )
                            await self._once.remember(token, client_id, answer)
                        except TokenError as error:
                            refused = error
        if answer is None:
            raise refused or TokenError("invalid_grant", "This refresh token was used or revoked")
        return answer

    # -- The client side -----------------------------------------------------------------------

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        """Redeem a code, once: of two redemptions at the same time exactly one succeeds."""
        claim = hashlib.sha256(authorization_code.code.encode()).hexdigest()
        if not await self._store.set_if_absent(
            claim, {"used": True}, collection=CODE_CLAIMS, ttl=CODE_SECONDS
        ):
            raise TokenError("invalid_grant", "The authorization code was used before")
        return await super().exchange_authorization_code(client, authorization_code)

    async def load_access_token(self, token: str) -> AccessToken | None:
        """The Redmine token behind one of ours, with the user's name and the client's id.

        While the store is away, what it said of a token a moment ago goes on to hold.
        Raises: ``AuthenticationError`` when it or Redmine cannot be asked, which is no refusal.
        """
        digest = hashlib.sha256(token.encode()).digest()
        unset = outage.set(None)
        try:
            verified = cast("AccessToken | None", await super().load_access_token(token))
            problem = outage.get()
        finally:
            outage.reset(unset)
        if verified is None:
            recent = self._recent.get(digest) if isinstance(problem, StoreError) else None
            if problem and recent is None:
                raise AuthenticationError("neither refused nor verified")
            return recent
        claims = self.claims_of(token)
        known = verified.model_copy(
            update={
                "client_id": claims["client_id"],
                "claims": {**verified.claims, **(claims.get("upstream_claims") or {})},
            }
        )
        self._recent[digest] = known
        return known

    def get_middleware(self) -> list[Middleware]:
        return [
            Middleware(
                AuthenticationMiddleware,
                backend=BearerAuthBackend(self),
                on_error=_cannot_ask,
            ),
            Middleware(AuthContextMiddleware),
        ]

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """The OAuth routes, with the resource metadata at the root as well.

        RFC 9728 puts it below the resource's path; clients of the 2025-03-26 era look at the root.
        """
        routes = super().get_routes(mcp_path)
        well_known = "/.well-known/oauth-protected-resource"
        for route in routes:
            if route.path.startswith(f"{well_known}/"):
                return [
                    *routes,
                    Route(well_known, route.endpoint, methods=list(route.methods or ())),
                ]
        return routes

    # -- The pages -----------------------------------------------------------------------------

    async def consent_page(self, request: Request) -> Response:
        page = await super().consent_page(request)
        csrf_token = CSRF_TOKEN.search(bytes(page.body).decode())
        txn = await self.transaction(request.query_params.get("txn_id", ""))
        if page.status_code != 200 or csrf_token is None or txn is None:
            return pages.problem(page.status_code if page.status_code >= 400 else 400)
        client = await self.registered_client(txn.client_id)
        verified_host = None
        if isinstance(client, ProxyDCRClient) and client.cimd_document is not None:
            verified_host = urlsplit(txn.client_id).hostname
        ours = pages.consent(
            client_name=(client.client_name if client else None) or txn.client_id,
            verified_host=verified_host,
            redirect_uri=txn.client_redirect_uri,
            redmine_url=self._gateway.base_url,
            scopes=txn.scopes,
            txn_id=txn.txn_id,
            csrf_token=csrf_token[1],
        )
        for cookie in page.headers.getlist("set-cookie"):
            ours.headers.append("set-cookie", cookie)
        return ours

    async def consent_answer(self, request: Request) -> Response:
        answer = await super().consent_answer(request)
        return pages.problem(answer.status_code) if answer.status_code >= 400 else answer

    async def callback(self, request: Request) -> Response:
        unset, unset_outage = sign_in_problem.set(None), outage.set(None)
        try:
            answer = await super().callback(request)
            problem = sign_in_problem.get()
            store_is_away = isinstance(outage.get(), StoreError)
        finally:
            sign_in_problem.reset(unset)
            outage.reset(unset_outage)
        if answer.status_code < 400:
            denied = "error" in request.query_params
            kind = EventKind.SIGN_IN_FAILED if denied else EventKind.SIGNED_IN
            self._plugins.emit(Event(kind, reason="denied" if denied else None))
            return answer
        self._plugins.emit(
            Event(EventKind.SIGN_IN_FAILED, reason=problem.code if problem else "bad_callback")
        )
        status = 503 if store_is_away else answer.status_code
        return pages.problem(status, str(problem) if problem else None)


@contextmanager
def _postponing() -> Iterator[None]:
    """Turn "cannot be asked" into 503 with Retry-After, which ends no sign-in."""
    try:
        yield
    except (httpx2.HTTPError, StoreError) as error:
        log.warning("refresh_postponed", reason=type(error).__name__)
        raise HTTPException(503, headers={"Retry-After": str(RETRY_AFTER)}) from None


def _cannot_ask(_request: HTTPConnection, _error: AuthenticationError) -> Response:
    return JSONResponse(
        {
            "error": "temporarily_unavailable",
            "error_description": "Redmine cannot be asked just now. Keep your tokens, try again.",
        },
        status_code=503,
        headers={"Retry-After": str(RETRY_AFTER)},
    )
