"""Whose an API key or a password is: Redmine's word for it, remembered briefly.

Redmine itself answers an unknown key as *anonymous* wherever anonymous may look, so a key is
checked by a question that needs a login, before anything else is asked with it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from cachetools import TTLCache
from fastmcp.server.auth import AccessToken

from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.auth.identity import identity
from redmine_mcp_core.redmine import (
    AccountLocked,
    Credential,
    Forbidden,
    Gateway,
    Redmine,
    Unauthorized,
)

KNOWN_SECONDS = 30
"""How long a key that Redmine knew is trusted. Redmine checks it anyway at each call."""
UNKNOWN_SECONDS = 10
"""How long a key that Redmine did not know is refused unasked, so that guessing costs it little."""
CACHE_SIZE = 10_000
TOKEN_SECONDS = 7200
"""How long a token of a key login lasts, as Redmine's own do."""

API_KEY = "api_key"
BASIC = "basic"
"""Kinds of credential, as an access token's claim ``credential`` names them; none is a bearer."""

_TICKET = "key-ticket:"


@dataclass(frozen=True, slots=True)
class KeyTicket:
    """Stands for Redmine's token in a sign-in by API key: the key, and what it may be used for.

    Redmine knows no scopes for keys, so ours travel with the key.
    """

    key: str = field(repr=False)
    scopes: tuple[str, ...]

    @classmethod
    def read(cls, token: str) -> Self | None:
        """The ticket that a stored token is; None for a token of Redmine's."""
        if not token.startswith(_TICKET):
            return None
        held = json.loads(base64.urlsafe_b64decode(token.removeprefix(_TICKET)))
        return cls(held["key"], tuple(held["scopes"]))

    def __str__(self) -> str:
        held = json.dumps({"key": self.key, "scopes": self.scopes}).encode()
        return _TICKET + base64.urlsafe_b64encode(held).decode()


class KeyVerifier:
    """Asks Redmine whom a key or a password belongs to."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._known: TTLCache[str, dict[str, Any]] = TTLCache(CACHE_SIZE, KNOWN_SECONDS)
        self._unknown: TTLCache[str, bool] = TTLCache(CACHE_SIZE, UNKNOWN_SECONDS)

    async def user(self, credential: Credential) -> dict[str, Any] | None:
        """The user (id, login, firstname, lastname); None if Redmine knows none or locked them.

        Raises ``RedmineError`` when Redmine cannot be asked.
        """
        if not (credential.value.isascii() and credential.value.isprintable()):
            return None  # no header can hold it, so Redmine would seem to be away
        digest = _digest(credential)
        if digest in self._unknown:
            return None
        user = self._known.get(digest)
        if user is None:
            try:
                user = await Redmine(self._gateway, credential).account()
            except (Unauthorized, Forbidden, AccountLocked):
                user = None
            if not user or "id" not in user:
                self._unknown[digest] = True
                return None
            self._known[digest] = user
        return user

    def remembers(self, credential: Credential) -> bool:
        """Whether ``user`` would answer about this one without asking Redmine."""
        digest = _digest(credential)
        return digest in self._known or digest in self._unknown

    async def verify(
        self, kind: str, secret: str, *, scopes: Sequence[str], client_id: str
    ) -> AccessToken | None:
        """An access token for a key or a password, as the rest of the server takes one.

        Its ``token`` is the secret itself, for calls to Redmine; it never leaves the server.
        """
        user = await self.user(credential_of(kind, secret))
        if user is None:
            return None
        return AccessToken(
            token=secret,
            client_id=client_id,
            subject=str(user["id"]),
            scopes=list(scopes),
            claims={
                "sub": str(user["id"]),
                "iss": self._gateway.base_url,
                "credential": kind,
                **identity(user),
            },
        )

    def forget(self, credential: Credential) -> None:
        """Ask Redmine again about this one: its API has just refused it."""
        self._known.pop(_digest(credential), None)


def credential_of(kind: str | None, secret: str) -> Credential:
    """With what Redmine is called for an access token whose claim ``credential`` is ``kind``."""
    match kind:
        case "api_key":
            return Credential.api_key(secret)
        case "basic":
            return Credential("Authorization", f"Basic {secret}")
        case _:
            return Credential.bearer(secret)


def _digest(credential: Credential) -> str:
    return digest_of(f"{credential.header}\0{credential.value}")
