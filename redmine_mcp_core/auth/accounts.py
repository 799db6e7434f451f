"""Service accounts: programs that call with a Redmine API key of their own, and no person present.

Redmine knows no scopes for API keys, so an account has ours. Of its secrets only digests are kept.
The API key itself is needed for calls; the store encrypts it as it does all records.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from pydantic import BaseModel, Field

from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.storage import Lease, TokenStore

TOKEN_PREFIX = "rmcp_"  # noqa: S105 - what our opaque tokens begin with
GRANTED_SECONDS = 3600
"""How long a token from ``client_credentials`` is good."""
USE_KEPT_SECONDS = 400 * 86_400
"""How long it is known when a token was last used."""
LOCK_SECONDS = 10.0

_ACCOUNTS, _NAMES, _TOKENS, _USES = (
    "service-accounts",
    "service-account-names",
    "service-account-tokens",
    "service-account-uses",
)
_ALL = "all"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


class AccountError(Exception):
    """An account cannot be made, found or changed so; the message is for the operator."""


class LongToken(BaseModel, frozen=True):
    """A long-lived token of an account, as it is listed: the token itself is known to nobody."""

    id: str
    digest: str = Field(repr=False)
    created: int
    expires: int
    """Unix time, as everywhere here."""


class ServiceAccount(BaseModel, frozen=True):
    """A program, the Redmine user it acts as, and what it may do."""

    client_id: str
    """Drawn by lot, so that nothing issued to a revoked account fits a new one of its name."""
    name: str
    user_id: int
    login: str
    api_key: str = Field(repr=False)
    scopes: tuple[str, ...]
    read_only: bool = False
    introspects: bool = False
    """Whether it may ask what our tokens stand for."""
    created: int
    expires: int | None = None
    secret_digest: str = Field(default="", repr=False)
    """Empty until a client secret is made."""
    tokens: tuple[LongToken, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.expires is not None and self.expires <= time.time()

    @property
    def live_tokens(self) -> list[LongToken]:
        return [token for token in self.tokens if token.expires > time.time()]

    def ends_within(self, seconds: int) -> int:
        """So many seconds, or fewer if the account expires before."""
        return seconds if self.expires is None else min(seconds, self.expires - int(time.time()))


class IssuedToken(BaseModel, frozen=True):
    """What a token of an account stands for, under its digest."""

    client_id: str
    token_id: str
    scopes: tuple[str, ...]
    issued: int
    expires: int
    secret_digest: str = Field(default="", repr=False)
    """Of the client secret that it was granted for; empty for a long-lived token."""


class ServiceAccounts:
    """The accounts in the token store. Every method may raise ``StoreError``."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    # -- For requests ------------------------------------------------------------------------------

    async def account(self, client_id: str) -> ServiceAccount | None:
        """An account that has not expired."""
        held = await self._store.get(client_id, collection=_ACCOUNTS)
        account = ServiceAccount.model_validate(held) if held else None
        return None if account is None or account.is_over else account

    async def authenticated(self, client_id: str, secret: str) -> ServiceAccount | None:
        """The account of a client ID and its secret."""
        account = await self.account(client_id)
        # The work is the same for an unknown client, so that it takes as long.
        known = hmac.compare_digest(account.secret_digest if account else "", digest_of(secret))
        return account if known else None

    async def issued(self, token: str) -> tuple[ServiceAccount, IssuedToken] | None:
        """What a token stands for at this moment; None for one that was revoked or never was."""
        held = await self._store.get(digest_of(token), collection=_TOKENS)
        if held is None:
            return None
        issued = IssuedToken.model_validate(held)
        account = await self.account(issued.client_id)
        if account is None or issued.secret_digest not in {"", account.secret_digest}:
            return None
        return account, issued

    async def grant(self, account: ServiceAccount, scopes: Sequence[str]) -> tuple[str, int]:
        """A token for an hour, and for how many seconds it is good."""
        seconds = account.ends_within(GRANTED_SECONDS)
        token, _ = await self._issue(account, "", scopes, seconds, account.secret_digest)
        return token, seconds

    async def touch(self, issued: IssuedToken) -> None:
        """Note that a token was used now, for the list."""
        for key in {issued.client_id, issued.token_id} - {""}:
            await self._store.put(
                key, {"at": int(time.time())}, collection=_USES, ttl=USE_KEPT_SECONDS
            )

    # -- For the operator --------------------------------------------------------------------------

    async def add(self, account: ServiceAccount) -> None:
        """Keep a new account. Raises ``AccountError`` for a name that is taken or unfit."""
        if not _NAME.fullmatch(account.name):
            raise AccountError(
                "A name has up to 40 small letters, digits and hyphens, such as nightly-report."
            )
        async with self._changing():
            names = await self._names()
            if account.name in names:
                raise AccountError(f"There is an account {account.name} already.")
            await self._write(account)
            await self._write_names({**names, account.name: account.client_id})

    async def all(self) -> list[ServiceAccount]:
        """Every account by name, expired ones too."""
        names = await self._names()
        held = await self._store.get_many(list(names.values()), collection=_ACCOUNTS)
        return sorted(
            (ServiceAccount.model_validate(record) for record in held if record),
            key=lambda account: account.name,
        )

    async def last_used(self, key: str) -> int | None:
        """When an account, by client ID, or a token of it, by id, was last used; about."""
        held = await self._store.get(key, collection=_USES)
        return held["at"] if held else None

    async def named(self, name: str) -> ServiceAccount:
        """Raises ``AccountError`` if there is none."""
        for account in await self.all():
            if account.name == name:
                return account
        raise AccountError(f"There is no account {name}. See: redmine-mcp accounts list")

    async def new_secret(self, name: str) -> str:
        """A client secret in place of the one before, which ends what was granted for that one. It
        is not kept, so it is told only here."""
        secret = secrets.token_urlsafe(32)
        async with self._changing():
            account = await self.named(name)
            await self._write(account.model_copy(update={"secret_digest": digest_of(secret)}))
        return secret

    async def new_token(self, name: str, seconds: int) -> tuple[str, LongToken]:
        """A long-lived token. It is not kept, so it is told only here."""
        async with self._changing():
            account = await self.named(name)
            if account.is_over:
                raise AccountError(f"The account {name} has expired.")
            token_id = secrets.token_hex(4)
            token, issued = await self._issue(
                account, token_id, account.scopes, account.ends_within(seconds)
            )
            listed = LongToken(
                id=token_id,
                digest=digest_of(token),
                created=issued.issued,
                expires=issued.expires,
            )
            tokens = (*account.live_tokens, listed)
            await self._write(account.model_copy(update={"tokens": tokens}))
        return token, listed

    async def revoke(self, name_or_token_id: str) -> str:
        """End an account with all its tokens, or one token. Returns what was ended, in words."""
        async with self._changing():
            for account in await self.all():
                if account.name == name_or_token_id:
                    return await self._revoke_account(account)
                for token in account.tokens:
                    if token.id == name_or_token_id:
                        return await self._revoke_token(account, token)
        raise AccountError(f"No account and no token is called {name_or_token_id}.")

    async def _revoke_account(self, account: ServiceAccount) -> str:
        # Its tokens lead nowhere once the account is gone, those of client_credentials too.
        await self._store.delete(account.client_id, collection=_ACCOUNTS)
        digests = [token.digest for token in account.tokens]
        await self._store.delete_many(digests, collection=_TOKENS)
        uses = [account.client_id, *(token.id for token in account.tokens)]
        await self._store.delete_many(uses, collection=_USES)
        names = await self._names()
        names.pop(account.name, None)
        await self._write_names(names)
        return f"the account {account.name} with all its tokens"

    async def _revoke_token(self, account: ServiceAccount, token: LongToken) -> str:
        await self._store.delete(token.digest, collection=_TOKENS)
        kept = tuple(other for other in account.tokens if other != token)
        await self._write(account.model_copy(update={"tokens": kept}))
        return f"the token {token.id} of {account.name}"

    # -- The store ---------------------------------------------------------------------------------

    def _changing(self) -> AbstractAsyncContextManager[Lease]:
        return self._store.lock("service-accounts", ttl=LOCK_SECONDS)

    async def _issue(
        self,
        account: ServiceAccount,
        token_id: str,
        scopes: Sequence[str],
        seconds: int,
        secret_digest: str = "",
    ) -> tuple[str, IssuedToken]:
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        now = int(time.time())
        issued = IssuedToken(
            client_id=account.client_id,
            token_id=token_id,
            scopes=tuple(scopes),
            issued=now,
            expires=now + seconds,
            secret_digest=secret_digest,
        )
        await self._store.put(
            digest_of(token), issued.model_dump(), collection=_TOKENS, ttl=seconds
        )
        return token, issued

    async def _write(self, account: ServiceAccount) -> None:
        await self._store.put(
            account.client_id, account.model_dump(mode="json"), collection=_ACCOUNTS
        )

    async def _names(self) -> dict[str, str]:
        held = await self._store.get(_ALL, collection=_NAMES)
        return dict(held["client_ids"]) if held else {}

    async def _write_names(self, names: dict[str, str]) -> None:
        await self._store.put(_ALL, {"client_ids": names}, collection=_NAMES)


def new_client_id() -> str:
    return f"account-{secrets.token_hex(8)}"
