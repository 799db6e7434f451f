"""The authorization server that MCP clients see, in front of Redmine's own.

FastMCP's ``OAuthProxy`` does the protocol, ``session_proxy.py`` bounds its sessions. What is added
here is Redmine: its scopes, its people, its ways in, and the difference between "Redmine refuses"
and "Redmine cannot be asked".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from cachetools import TTLCache
from fastmcp.server.auth import AccessToken
from fastmcp.server.auth.jwt_issuer import JWTIssuer
from fastmcp.server.auth.oauth_proxy.models import UpstreamTokenSet
from fastmcp.server.auth.oauth_proxy.upstream import AsyncOAuth2Client
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from mcp.server.auth.provider import AuthorizationParams, AuthorizeError
from mcp.shared.auth import OAuthClientInformationFull
from starlette.authentication import AuthenticationBackend, AuthenticationError
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redmine_mcp_core.auth import endpoints, key_login, pages, revocation
from redmine_mcp_core.auth.account_access import AccountVerifier
from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.answers import cannot_ask
from redmine_mcp_core.auth.api_keys import KeyTicket
from redmine_mcp_core.auth.clients import Clients
from redmine_mcp_core.auth.connections import Connections
from redmine_mcp_core.auth.consent import ConsentProxy
from redmine_mcp_core.auth.device import DeviceFlow
from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.auth.guesses import Guesses
from redmine_mcp_core.auth.header import HeaderBackend
from redmine_mcp_core.auth.identity import IDENTITY
from redmine_mcp_core.auth.issuing import TokenIssuer, key_id
from redmine_mcp_core.auth.key_tokens import KeyTokens
from redmine_mcp_core.auth.proxy_store import ProxyStore
from redmine_mcp_core.auth.registration import RegistrationProxy
from redmine_mcp_core.auth.session_proxy import SessionProxy, began
from redmine_mcp_core.auth.sessions import DAY, TOUCH_SECONDS, Bounds, Session, Sessions
from redmine_mcp_core.auth.signing import Keyring
from redmine_mcp_core.auth.step_up import SESSION
from redmine_mcp_core.auth.upstream import RedmineTokenClient, SignIn, revoke, sign_in
from redmine_mcp_core.auth.verifier import RedmineTokenVerifier, outage
from redmine_mcp_core.auth.visits import Visits
from redmine_mcp_core.events import Event, EventKind
from redmine_mcp_core.redmine import Gateway, RedmineError
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.storage import StoreError, TokenStore

RECENT_SECONDS = 300
"""How long what was verified goes on to hold while the token store is away."""
RECENT_SIZE = 10_000
REFRESH_AHEAD = 60
"""Seconds before the end of a Redmine token at which it is renewed."""


class RedmineOAuthProxy(ConsentProxy, SessionProxy, RegistrationProxy):
    """Sign-in with Redmine for MCP clients. The Redmine token never leaves the server."""

    def __init__(
        self,
        settings: Settings,
        *,
        gateway: Gateway,
        store: TokenStore,
        verifier: RedmineTokenVerifier,
        jwt_signing_key: bytes,
        scopes: Sequence[str],
        emit: Callable[[Event], None],
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._emit = emit
        bounds = Bounds(
            idle=int(settings.mcp_session_idle_days * DAY),
            absolute=int(settings.mcp_session_days * DAY),
            per_user=settings.mcp_sessions_per_user,
        )
        self.keep_sessions(store, Sessions(store, bounds, redmine_url=gateway.base_url))
        clients = Clients(store, allowed_redirect_uris=settings.mcp_allowed_redirect_uris)
        self.keep_clients(clients, store, settings.mcp_registration)
        self._recent: TTLCache[str, AccessToken] = TTLCache(RECENT_SIZE, RECENT_SECONDS)
        self._touched: TTLCache[str, bool] = TTLCache(RECENT_SIZE, TOUCH_SECONDS)
        self._revoking: set[asyncio.Task[None]] = set()
        self.keys = verifier.keys
        self._accounts = ServiceAccounts(store)
        self._account_verifier = AccountVerifier(self._accounts, self.keys)
        noting = cast("TokenStore", ProxyStore(store, outage.set))
        self.keyring = Keyring(noting, settings.mcp_signing_algorithm, lifetime=bounds.absolute)
        self._key_tokens = KeyTokens(store, self.keys)
        self._guesses = Guesses(store)
        keyed = key_login.KeyLogin(self, self._key_tokens, self._guesses, gateway.base_url)
        visits = Visits(self, store, key=jwt_signing_key, base_url=settings.public_url)
        self.keep_consent(visits, keyed, settings.mcp_sign_in, gateway.base_url)
        self._device = DeviceFlow(self, visits, store)
        self._connections = Connections(self, visits, store)
        self.verifier = verifier
        secret = settings.redmine_client_secret
        super().__init__(
            upstream_authorization_endpoint=f"{settings.redmine_url}/oauth/authorize",
            upstream_token_endpoint=f"{settings.redmine_url}/oauth/token",
            upstream_client_id=settings.own_client_id,
            upstream_client_secret=secret.get_secret_value() if secret else None,
            token_verifier=verifier,
            base_url=settings.public_url,
            valid_scopes=list(scopes),
            # Redmine ignores resource indicators (RFC 8707); ours are checked before.
            forward_resource=False,
            allowed_client_redirect_uris=settings.mcp_allowed_redirect_uris or None,
            enable_cimd=settings.mcp_registration != "closed",
            client_storage=noting,
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

        What it registered with may be older than a plugin that was added since.
        """
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
        return RedmineTokenClient(  # type: ignore[return-value]
            super().upstream_client(),
            self._gateway,
            keys=self._key_tokens,
            refreshable_for=lambda: self.sessions.bounds.refreshable_for(
                began.get() or time.time()
            ),
        )

    def claims_from(self, upstream_answer: dict[str, Any]) -> dict[str, Any] | None:
        return upstream_answer.get(IDENTITY)

    async def session_of(self, tokens: UpstreamTokenSet, client_id: str) -> Session:
        who = tokens.raw_token_data[IDENTITY]
        client = await self.registered_client(client_id)
        return Session(
            id=tokens.upstream_token_id,
            user_id=who["user_id"],
            login=who["login"],
            client_id=client_id,
            client_name=(client.client_name if client else None) or client_id,
            scopes=tokens.scope.split(),
            way="key-login" if KeyTicket.read(tokens.access_token) else "oauth",
            began=tokens.created_at,
            used=time.time(),
        )

    async def revoke_upstream(self, access_token: str) -> None:
        """Redmine revokes both of a pair. While it is away this is tried again for some minutes;
        a token that outlives that is in nobody's hands, since the store has forgotten it."""
        self.verifier.forget(access_token)
        for digest in [one for one, held in self._recent.items() if held.token == access_token]:
            self._recent.pop(digest, None)
        if KeyTicket.read(access_token):
            return
        task = asyncio.create_task(
            revoke(
                super().upstream_client(),
                self._gateway.base_url,
                access_token,
                certificates=self.upstream_certificates,
            )
        )
        self._revoking.add(task)
        task.add_done_callback(self._revoking.discard)

    async def revoked(self, *, within: float) -> bool:
        """Wait until Redmine has been told of all that ended; False if that takes longer than so
        many seconds."""
        if self._revoking:
            await asyncio.wait(self._revoking, timeout=within)
        return not self._revoking

    def tell(self, kind: EventKind, session: Session | None, reason: str | None = None) -> None:
        event = Event(kind, reason=reason)
        if session is not None:
            user, client = session.user_id, session.client_id
            event = replace(event, user_id=user, client_id=client, login=session.login)
        self._emit(event)

    # -- Who signs -----------------------------------------------------------------------------

    def token_issuer(self, issuer: str, audience: str, signing_key: bytes) -> JWTIssuer:
        return TokenIssuer(issuer, audience, signing_key, self.keyring)

    async def before_tokens(self, token: str | None = None) -> None:
        await self.keyring.ready(key_id(token) if token else None)

    # -- The client side -----------------------------------------------------------------------

    async def load_access_token(self, token: str) -> AccessToken | None:
        """The Redmine credential behind a token of ours, with the user's name and the client's id.

        While the store is away, what it said of a token a moment ago goes on to hold.
        Raises: ``AuthenticationError`` when it or Redmine cannot be asked, which is no refusal.
        """
        digest = digest_of(token)
        of_account = self._account_verifier.takes(token)
        verify = self._account_verifier.verify if of_account else self._verify_session
        try:
            access = await verify(token)
        except (RedmineError, StoreError) as error:
            recent = self._recent.get(digest) if isinstance(error, StoreError) else None
            if recent is None:
                raise AuthenticationError("neither refused nor verified") from error
            return recent
        if access is None:
            self._recent.pop(digest, None)  # it was refused: no outage brings it back
            return None
        self._recent[digest] = access
        return access

    async def _verify_session(self, token: str) -> AccessToken | None:
        unset = outage.set(None)
        try:
            verified = await super().load_access_token(token)
            problem = outage.get()
        finally:
            outage.reset(unset)
        if verified is None:
            if problem:
                raise problem
            return None
        claims = self.claims_of(token)
        await self._touch(claims["jti"], token)
        return verified.model_copy(
            update={
                "client_id": claims["client_id"],
                "claims": {
                    **verified.claims,
                    **(claims.get("upstream_claims") or {}),
                    "way": SESSION,
                },
            }
        )

    async def _touch(self, token_id: str, token: str) -> None:
        """Note that a session is in use; the next request will do if the store is away."""
        if token_id in self._touched:
            return
        self._touched[token_id] = True
        try:
            if session_id := await self.upstream_token_id(token, "access"):
                await self.sessions.touch(session_id)
        except StoreError:
            self._touched.pop(token_id, None)

    def get_middleware(self) -> list[Middleware]:
        backend: AuthenticationBackend = BearerAuthBackend(self)
        if "header" in self._settings.mcp_sign_in:
            backend = HeaderBackend(self.keys, lambda: self.offered_scopes, self._guesses, backend)
        return [
            Middleware(AuthenticationMiddleware, backend=backend, on_error=cannot_ask),
            Middleware(AuthContextMiddleware),
        ]

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        """The OAuth routes, with the resource metadata at the root as well.

        RFC 9728 puts it below the resource's path; clients of the 2025-03-26 era look at the root.
        """
        routes = [
            *endpoints.for_machines(
                super().get_routes(mcp_path),
                self,
                self._accounts,
                self.keyring,
                grants=self._device.grants,
                entries={**self._device.entries, **revocation.entries(self)},
            ),
            revocation.route(self),
            *self._device.routes(),
            *self._connections.routes(),
        ]
        if "key-login" in self._settings.mcp_sign_in:
            routes.append(Route(key_login.PATH, self._key_login.handle, methods=["GET", "POST"]))
        well_known = "/.well-known/oauth-protected-resource"
        metadata = next(route for route in routes if route.path.startswith(f"{well_known}/"))
        methods = list(metadata.methods or ())
        return [*routes, Route(well_known, metadata.endpoint, methods=methods)]

    # -- The pages -----------------------------------------------------------------------------

    async def callback(self, request: Request) -> Response:
        """Back from Redmine, or from the page for the key: good for what was allowed here, and in
        the browser it was allowed in, in an error as well (RFC 9700, section 4.11.2)."""
        try:
            txn = await self.transaction(request.query_params.get("state", ""))
        except StoreError:
            return pages.problem(request, 503)
        denied = "error" in request.query_params
        if denied and txn and not self.same_browser(request, txn):
            return pages.problem(request, 403)
        returning = SignIn(frozenset(txn.scopes if txn else ()))
        unset, unset_outage = sign_in.set(returning), outage.set(None)
        try:
            answer = await super().callback(request)
            store_is_away = isinstance(outage.get(), StoreError)
        finally:
            sign_in.reset(unset)
            outage.reset(unset_outage)
        problem = returning.problem
        if answer.status_code >= 400 or denied:
            reason = problem.code if problem else "denied" if denied else "bad_callback"
            self.tell(EventKind.SIGN_IN_FAILED, None, reason)
        if answer.status_code < 400:
            return answer
        status = 503 if store_is_away else answer.status_code
        return pages.problem(request, status, problem)
