"""The life of a session in FastMCP's proxy: it begins, is refreshed once at a time, and ends.

FastMCP issues the tokens. What is added is what an attacker or a bad moment would otherwise get out
of them: codes and refresh tokens that are used twice (RFC 9700, sections 2.1.1 and 4.14), several
replicas that refresh at once, an upstream server that is away, and sessions that never end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpx2
from fastmcp.server.auth.oauth_proxy.models import UpstreamTokenSet
from mcp.server.auth.provider import AuthorizationCode, RefreshToken, TokenError
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from starlette.exceptions import HTTPException

from redmine_mcp_core.auth.answers import RETRY_AFTER
from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.auth.refresh import RefreshOnce
from redmine_mcp_core.auth.sessions import Session, Sessions
from redmine_mcp_core.auth.upstream import as_redmine_error
from redmine_mcp_core.auth.verifier import outage
from redmine_mcp_core.events import EventKind
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.seams import OpenOAuthProxy
from redmine_mcp_core.storage import StoreError, TokenStore

USED_CODE_SECONDS = 600
"""How long a used code is remembered, to end what was got with it when it comes again."""

_ENDINGS = {
    "disconnected": EventKind.SIGNED_OUT,
    "revoked_by_client": EventKind.SIGNED_OUT,
    "refresh_replayed": EventKind.REFRESH_REPLAYED,
    "refused_by_redmine": EventKind.REFRESH_FAILED,
}
"""What an ended session is to those who watch; else it is one that was revoked."""

_CODES = "authorization-code-claims"

began: ContextVar[float | None] = ContextVar("redmine_mcp_session_began", default=None)
"""When the session that is being refreshed began; None for one that begins now. Unix time."""


class SessionProxy(OpenOAuthProxy):
    """FastMCP's proxy with sessions that are bounded, listed, and end for good."""

    _store: TokenStore
    sessions: Sessions

    def keep_sessions(self, store: TokenStore, sessions: Sessions) -> None:
        """Where sessions rest. Call it before anything else."""
        self._store = store
        self.sessions = sessions
        self._once = RefreshOnce(store, used_for=sessions.bounds.idle)

    # -- What a subclass knows ---------------------------------------------------------------------

    async def session_of(self, tokens: UpstreamTokenSet, client_id: str) -> Session:
        """Who has just signed in, for the list."""
        raise NotImplementedError

    async def revoke_upstream(self, access_token: str) -> None:
        """Have the upstream server forget a pair of tokens. Must not raise."""
        raise NotImplementedError

    def tell(self, kind: EventKind, session: Session | None, reason: str | None = None) -> None:
        """Let those who watch know."""
        raise NotImplementedError

    # -- It begins ---------------------------------------------------------------------------------

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        """Redeem a code, once: of two redemptions at the same time exactly one succeeds.

        The second one ends what the first one got (RFC 6749, section 4.1.2): somebody else has
        the code.
        """
        claim = digest_of(authorization_code.code)
        if not await self._store.set_if_absent(
            claim, {"session": None}, collection=_CODES, ttl=USED_CODE_SECONDS
        ):
            await self._end_what_came_of(claim)
            raise TokenError("invalid_grant", "The authorization code was used before")
        answer = await super().exchange_authorization_code(client, authorization_code)
        token_id = await self.upstream_token_id(answer.access_token, "access")
        tokens = await self.upstream_tokens(token_id) if token_id else None
        if tokens is None:
            raise TokenError("invalid_grant", "The sign-in ended while it began")
        session = await self.session_of(tokens, client.client_id or "")
        await self._store.put(
            claim, {"session": session.id}, collection=_CODES, ttl=USED_CODE_SECONDS
        )
        for surplus in await self.sessions.begin(session):
            await self.end_session(surplus.id, "too_many")
        self.tell(EventKind.SIGNED_IN, session)
        return answer

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        """A code that is good. One that was used is handed on, to be refused where it is redeemed;
        FastMCP has forgotten it by then."""
        code = await super().load_authorization_code(client, authorization_code)
        if code is None:
            await self._end_what_came_of(digest_of(authorization_code))
        return code

    async def _end_what_came_of(self, claim: str) -> None:
        record = await self._store.get(claim, collection=_CODES)
        if record and record["session"]:
            await self.end_session(record["session"], "code_replayed")

    # -- It is refreshed ---------------------------------------------------------------------------

    async def refresh_upstream(self, tokens: UpstreamTokenSet) -> UpstreamTokenSet:
        """Renew the upstream tokens in passing, unless another request has just done so."""
        async with self._once.alone(tokens.upstream_token_id):
            stored = await self.upstream_tokens(tokens.upstream_token_id)
            if stored is None:
                raise LookupError("The session ended meanwhile")
            if stored.access_token != tokens.access_token:
                return stored
            unset = began.set(stored.created_at)
            try:
                return await super().refresh_upstream(stored)
            except (httpx2.HTTPError, RedmineError) as error:
                outage.set(as_redmine_error(error))
                raise
            finally:
                began.reset(unset)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        """A refresh token that is good, or was used just now by the same client.

        One that was used before that is in two hands: the session ends, for both.
        """
        client_id = client.client_id or ""
        with self._refreshing():
            again = await self._once.recall(refresh_token, client_id)
            found = None if again else await super().load_refresh_token(client, refresh_token)
            if again is None and found is None:
                # Another request may be at it just now: wait for what it gets.
                async with self._once.alone(refresh_token):
                    again = await self._once.recall(refresh_token, client_id)
                if again is None and (session := await self._once.session_of_used(refresh_token)):
                    await self.end_session(session, "refresh_replayed")
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
        token = refresh_token.token
        answer: OAuthToken | TokenError | None
        with self._refreshing():
            async with self._once.alone(token):
                answer = await self._once.recall(token, client.client_id or "")
                token_id = await self.upstream_token_id(token, "refresh")
                if answer is None and token_id is not None:
                    answer = await self._refreshed(client, refresh_token, scopes, token_id)
            if isinstance(answer, TokenError) and token_id is not None:
                await self.end_session(token_id, "refused_by_redmine")
        if answer is None:
            answer = TokenError("invalid_grant", "This refresh token was used or revoked")
        if isinstance(answer, TokenError):
            raise answer
        return answer

    async def _refreshed(
        self,
        client: OAuthClientInformationFull,
        refresh_token: RefreshToken,
        scopes: list[str],
        token_id: str,
    ) -> OAuthToken | TokenError | None:
        """The tokens that follow; why there are none; None if the session is gone.

        The refusal is returned, since ``contextmanager``, which the locks are made with, cannot
        pass on the SDK's frozen exceptions.
        """
        async with self._once.alone(token_id):
            tokens = await self.upstream_tokens(token_id)
            if tokens is None:
                return None
            if self.sessions.bounds.refreshable_for(tokens.created_at) <= 0:
                return TokenError("invalid_grant", "This session is over. Sign in again.")
            # Before the refresh: if the store fails here, nothing is used up.
            await self.sessions.touch(token_id)
            unset = began.set(tokens.created_at)
            try:
                answer = await super().exchange_refresh_token(client, refresh_token, scopes)
            except TokenError as error:
                return error
            finally:
                began.reset(unset)
            await self._once.remember(
                refresh_token.token, client.client_id or "", answer, session_id=token_id
            )
        self.tell(EventKind.REFRESHED, await self.sessions.get(token_id))
        return answer

    @contextmanager
    def _refreshing(self) -> Iterator[None]:
        """As ``postponing``, and those who watch are told."""
        try:
            with postponing():
                yield
        except HTTPException:
            self.tell(EventKind.REFRESH_POSTPONED, None)
            raise

    # -- It ends -----------------------------------------------------------------------------------

    async def end_session(self, session_id: str, reason: str) -> None:
        """End a session, here and upstream; it is refused at the next request on every replica.

        Raises ``StoreError`` if the store cannot be reached: then it is not ended.
        """
        # A refresh under way would write the session back, and with tokens that live on.
        async with self._once.alone(session_id):
            tokens = await self.upstream_tokens(session_id)
            await self.forget_upstream_tokens(session_id)
        if tokens is not None:
            # First, as the list may fail: nobody could come back to what is forgotten.
            await self.revoke_upstream(tokens.access_token)
        session = await self.sessions.forget(session_id)
        if tokens is not None:
            self.tell(_ENDINGS.get(reason, EventKind.REVOKED), session, reason)

    async def end_sessions_of_client(self, client_id: str) -> None:
        for session in await self.sessions.of_client(client_id):
            await self.end_session(session.id, "client_deleted")

    async def session_id_of(self, token: str) -> str | None:
        """The session of an access or a refresh token of ours, used ones included."""
        return (
            await self.upstream_token_id(token, "access")
            or await self.upstream_token_id(token, "refresh")
            or await self._once.session_of_used(token)
        )


@contextmanager
def postponing() -> Iterator[None]:
    """Turn "cannot be asked" into 503 with Retry-After, which ends no session."""
    try:
        yield
    except (httpx2.HTTPError, StoreError, RedmineError) as error:
        log.warning("refresh_postponed", reason=type(error).__name__)
        raise HTTPException(503, headers={"Retry-After": str(RETRY_AFTER)}) from None
