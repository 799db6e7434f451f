"""The clients that registered themselves: where they rest, and for how long.

Anybody may register (RFC 7591, section 5), so what nobody uses runs out soon.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

from fastmcp.server.auth.oauth_proxy.models import ProxyDCRClient
from mcp.shared.auth import InvalidRedirectUriError
from pydantic import AnyUrl

from redmine_mcp_core.auth import redirects
from redmine_mcp_core.auth.client_metadata import Metadata
from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.storage import Lease, TokenStore

DAY = 86_400
UNUSED_SECONDS = DAY
"""How long a registration stays that nobody has signed in with."""
IDLE_SECONDS = 90 * DAY
"""How long it stays after its last use."""
TOUCH_SECONDS = DAY
"""How exact the last use is: one write per client in so many seconds."""
LOCK_SECONDS = 10.0

_CLIENTS = "clients"
_MAX_ID_CHARACTERS = 100


class Client(ProxyDCRClient):
    """A client, registered or described by a document, as FastMCP and the SDK want it."""

    registration_token_sha256: str = ""
    """Of the token that manages this registration (RFC 7592); the token itself is not kept."""
    used_at: float = 0.0
    """When it was last signed in with, as exact as ``TOUCH_SECONDS``. Unix time; 0 for never."""

    def validate_redirect_uri(self, redirect_uri: AnyUrl | None) -> AnyUrl:
        """The redirect URI of a request, if it is one of this client's and allowed.

        Raises ``InvalidRedirectUriError``, which must be answered with a page and no redirect.
        """
        document = self.cimd_document
        known = (
            document.redirect_uris if document else [str(uri) for uri in self.redirect_uris or ()]
        )
        if redirect_uri is None and len(known) != 1:
            raise InvalidRedirectUriError("redirect_uri is missing, and the client has several")
        uri = known[0] if redirect_uri is None else str(redirect_uri)
        if not redirects.registered(uri, known):
            raise InvalidRedirectUriError("redirect_uri is not one that this client registered")
        if fault := redirects.problem(
            uri,
            allowed=self.allowed_redirect_uri_patterns or (),
            application_type=self.application_type,
        ):
            raise InvalidRedirectUriError(f"redirect_uri {fault}")
        return AnyUrl(uri) if redirect_uri is None else redirect_uri

    def is_managed_by(self, token: str) -> bool:
        """Whether this is the registration access token of this client."""
        return hmac.compare_digest(self.registration_token_sha256, digest_of(token))

    def described(self) -> dict[str, Any]:
        """The client as it is told who registered it (RFC 7591, section 3.2.1)."""
        members = {*Metadata.model_fields, "client_id", "client_id_issued_at"}
        return self.model_dump(mode="json", include=members, exclude_none=True)


class Clients:
    """The registrations, in the token store."""

    def __init__(self, store: TokenStore, *, allowed_redirect_uris: Sequence[str] = ()) -> None:
        self._store = store
        self.allowed_redirect_uris = tuple(allowed_redirect_uris)

    async def register(self, metadata: Metadata) -> tuple[Client, str]:
        """A new client, and the token that manages it."""
        token = secrets.token_urlsafe(32)
        client = Client(
            **metadata.members(),
            client_id=str(uuid4()),
            client_id_issued_at=int(time.time()),
            registration_token_sha256=digest_of(token),
        )
        await self._write(client)
        return client, token

    async def get(self, client_id: str) -> Client | None:
        """A client that registered itself, as long as the registration stays."""
        if len(client_id) > _MAX_ID_CHARACTERS:
            return None
        record = await self._store.get(client_id, collection=_CLIENTS)
        if record is None:
            return None
        allowed = list(self.allowed_redirect_uris) or None
        return Client(**{**record, "allowed_redirect_uri_patterns": allowed})

    async def change(self, client_id: str, metadata: Metadata) -> Client | None:
        """Give a client other metadata; None if it is gone meanwhile."""
        return await self._update(client_id, metadata.members())

    async def note_use(self, client: Client) -> None:
        """Note that somebody signs in, or stays signed in, with a client, now and then."""
        if time.time() - client.used_at > TOUCH_SECONDS:
            await self._update(client.client_id, {"used_at": time.time()})

    async def delete(self, client_id: str) -> None:
        async with self._lock(client_id):
            await self._store.delete(client_id, collection=_CLIENTS)

    async def _update(self, client_id: str, changes: dict[str, Any]) -> Client | None:
        async with self._lock(client_id):
            client = await self.get(client_id)
            if client is None:
                return None
            changed = Client(**{**client.model_dump(), **changes})
            await self._write(changed)
            return changed

    async def _write(self, client: Client) -> None:
        began, stays = (
            (client.used_at, IDLE_SECONDS)
            if client.used_at
            else (client.client_id_issued_at or 0, UNUSED_SECONDS)
        )
        record = client.model_dump(
            mode="json", exclude_none=True, exclude={"allowed_redirect_uri_patterns"}
        )
        await self._store.put(
            client.client_id, record, collection=_CLIENTS, ttl=max(1, began + stays - time.time())
        )

    def _lock(self, client_id: str) -> AbstractAsyncContextManager[Lease]:
        return self._store.lock(f"client {client_id}", ttl=LOCK_SECONDS)
