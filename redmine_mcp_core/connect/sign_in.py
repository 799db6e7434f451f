"""One sign-in for all bridges of this user: tokens that are stored, refreshed and asked for.

The SDK's client provider goes to the browser at a 401 before it has tried to refresh, knows of no
other process, and forgets its tokens when the authorization server is down. Its parts are used
here; the order of the steps is ours (ADR 9).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

import httpx2

from redmine_mcp_core.connect.errors import ConnectError, SignInError, StaleClient
from redmine_mcp_core.connect.options import Options, read_secret
from redmine_mcp_core.connect.person import Person
from redmine_mcp_core.connect.token_endpoint import post_form, read_tokens
from redmine_mcp_core.connect.vault import Endpoints, Record, Tokens, Vault
from redmine_mcp_core.observability.logs import log

if TYPE_CHECKING:
    from redmine_mcp_core.connect.discovery import Found

_EARLY = 30
"""Seconds before its end in which a token is not sent any more."""
_PEACE = 30
"""Seconds after a sign-in that failed in which nobody is asked again."""


class SignIn(httpx2.Auth):
    """Puts a token on each request, and gets a new one where the server wants that."""

    requires_response_body = False

    def __init__(
        self, options: Options, vault: Vault, http: httpx2.AsyncClient, person: Person
    ) -> None:
        self._options = options
        self._vault = vault
        self._http = http
        self._person = person
        self._record: Record | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._failure: tuple[float, ConnectError] | None = None

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """First the token we have; then one that was refreshed; then one that a person granted."""
        token = await self._current()
        for may_refresh in (True, False):
            _sign(request, token)
            response = yield request
            if not _is_challenge(response):
                return
            log.info("token wanted", status=response.status_code, had_one=token is not None)
            token = await self._renew(response, rejected=token, may_refresh=may_refresh)
        _sign(request, token)
        yield request

    async def close(self) -> None:
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _current(self) -> str | None:
        """The token to try first; refreshed before it has run out, as that saves a round."""
        if self._record is None:
            self._record = await self._vault.read()
        tokens = self._record.tokens
        if tokens is None:
            return None
        runs_out = tokens.expires_at is not None and tokens.expires_at - time.time() < _EARLY
        if runs_out and tokens.refresh:
            return await self._renew(None, rejected=tokens.access, may_refresh=True)
        return tokens.access

    async def _renew(
        self, challenge: httpx2.Response | None, *, rejected: str | None, may_refresh: bool
    ) -> str | None:
        """Another token than the one that was rejected; whoever else waits gets the same."""
        if self._token() == rejected:
            if self._renewing is None:
                if self._failure and time.monotonic() - self._failure[0] < _PEACE:
                    raise self._failure[1]
                work = self._renew_once(challenge, rejected=rejected, may_refresh=may_refresh)
                self._renewing = asyncio.create_task(work)
                self._renewing.add_done_callback(self._renewed)
            # A client that cancels one request does not cancel the sign-in that others wait for.
            await asyncio.shield(self._renewing)
        return self._token()

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled() and isinstance(error := task.exception(), SignInError):
            self._failure = time.monotonic(), error

    def _token(self) -> str | None:
        tokens = self._record.tokens if self._record else None
        return tokens.access if tokens else None

    async def _renew_once(
        self, challenge: httpx2.Response | None, *, rejected: str | None, may_refresh: bool
    ) -> None:
        async with self._vault.lock(self._waiting):
            record = self._record = await self._vault.read()
            if record.tokens and record.tokens.access != rejected:
                return
            wider = challenge is not None and challenge.status_code == 403
            if may_refresh and not wider and await self._refresh(record):
                return
            if challenge is None:
                # Nobody is bothered before the server has said that it wants a sign-in.
                record.tokens = None
                return
            await self._ask(record, challenge)

    def _waiting(self) -> None:
        self._person.tell("Another bridge is signing in to this server: waiting for it.")

    async def _refresh(self, record: Record) -> bool:
        """Whether there are new tokens. Raises ``Unavailable`` with everything kept."""
        if not (record.tokens and record.tokens.refresh and record.registration):
            return False
        if record.endpoints is None:
            return False
        tokens = record.tokens
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh or ""}
        if record.endpoints.resource:
            form["resource"] = record.endpoints.resource
        try:
            said = await post_form(self._http, record.endpoints.token, record.registration, form)
            record.tokens = read_tokens(said, scope=tokens.scope, refresh=tokens.refresh)
        except StaleClient:
            log.info("registration forgotten", next="registering again")
            record.tokens = record.registration = None
        except SignInError as error:
            log.info("not refreshed", problem=str(error))
            record.tokens = None
        await self._vault.write(record)
        return record.tokens is not None

    async def _ask(self, record: Record, challenge: httpx2.Response) -> None:
        """Have a person sign in; with a registration that went stale, once more with a new one."""
        # Here and not above: they import the SDK, which takes longer than all the rest.
        from redmine_mcp_core.connect.asking import ask
        from redmine_mcp_core.connect.discovery import discover

        found = await discover(self._http, self._options, challenge)
        for is_last in (False, True):
            try:
                granted = await ask(
                    self._http, self._options, self._person, self._vault, record, found, challenge
                )
                break
            except StaleClient:
                if is_last or self._options.client_id or self._options.client_metadata_url:
                    raise
                log.info("registration forgotten", next="registering again")
                record.registration = None
        self._keep(record, granted, found)
        await self._vault.write(record)
        log.info("signed in", stored=self._vault.where)

    def _keep(self, record: Record, tokens: Tokens, found: Found) -> None:
        revocation = found.metadata.revocation_endpoint
        record.tokens = tokens
        record.endpoints = Endpoints(
            token=str(found.metadata.token_endpoint),
            revocation=str(revocation) if revocation else None,
            resource=found.resource,
        )


class ServiceToken(httpx2.Auth):
    """A token that somebody else takes care of; its file is read anew when it is rejected."""

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._token = read()

    @classmethod
    def of(cls, options: Options) -> ServiceToken | None:
        """The service token of the options; None where there is none."""
        if path := options.token_file:
            return cls(lambda: read_secret(path))
        if token := options.token:
            return cls(lambda: token)
        return None

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        _sign(request, self._token)
        response = yield request
        if response.status_code == 401 and (token := self._read()) != self._token:
            self._token = token
            _sign(request, token)
            yield request


def _sign(request: httpx2.Request, token: str | None) -> None:
    if token:
        request.headers["Authorization"] = f"Bearer {token}"


def _is_challenge(response: httpx2.Response) -> bool:
    """A 401, or a 403 that names a scope which is missing (RFC 6750 3.1)."""
    if response.status_code == 401:
        return True
    said = response.headers.get("www-authenticate", "")
    return response.status_code == 403 and "insufficient_scope" in said
