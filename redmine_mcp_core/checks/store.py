"""The token store: whether it opens, works, is for our eyes only, and what of it our keys open."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from redmine_mcp_core.checks.finding import Finding, fail, ok, warn
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.storage import (
    EncryptedStore,
    RecordStore,
    StoreError,
    TokenStoreBackend,
    open_store,
    redact_url,
)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_CHECK = "check"


async def token_store(
    each: Sequence[Settings], backends: Sequence[TokenStoreBackend]
) -> AsyncIterator[Finding]:
    """The store that these Redmines share. It writes one record, and takes it out again."""
    url = each[0].token_store_url
    where = redact_url(url)
    if url.startswith("memory:"):
        yield warn(
            "Sign-ins rest in memory, and end with the server",
            "Set TOKEN_STORE_URL, or leave it out: then they rest in a file.",
        )
        return
    try:
        async with open_store(url, backends) as backend:
            yield ok(f"The token store {where} opens")
            sealed = [encrypted(settings, backend) for settings in each]
            yield await _works(sealed[0])
            yield await _keys(backend, sealed)
            for concern in await backend.concerns():
                yield warn(f"The token store {where}: {concern.what}", concern.advice)
    except StoreError as error:
        yield fail(f"The token store {where} cannot be used: {error}", "Check TOKEN_STORE_URL.")
        return
    if path := _file(url):
        for finding in _modes(path):
            yield finding


async def _works(store: EncryptedStore) -> Finding:
    key, value = f"doctor-{secrets.token_hex(8)}", {"check": secrets.token_hex(8)}
    await store.put(key, value, collection=_CHECK, ttl=60)
    if await store.pop(key, collection=_CHECK) != value:
        return fail("What is written there does not read back", "Look at it with its own tools.")
    async with store.lock(key, ttl=10):
        return ok("It can be written, read and locked")


async def _keys(backend: RecordStore, sealed: Sequence[EncryptedStore]) -> Finding:
    seen = unreadable = 0
    cursor = None
    while cursor != "":
        batch, cursor = await backend.scan(cursor or "")
        seen += len(batch)
        unreadable += sum(not any(keys.opens(record) for keys in sealed) for record in batch)
    if unreadable:
        return fail(
            f"{unreadable} of its {seen} records open with none of the keys: who signed in with "
            "them has to do so anew",
            "Put the key that is missing back: into MCP_ENCRYPTION_KEYS, or the JWT_SIGNING_KEY "
            "or REDMINE_CLIENT_SECRET that was changed.",
        )
    return ok(f"Our keys open all of its {seen} records" if seen else "It is empty as yet")


def _file(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme != "sqlite":
        return None
    path = unquote(parts.path).lstrip("/")
    return Path(path).expanduser() if path.startswith("~") else Path("/", path)


def _modes(path: Path) -> list[Finding]:
    """SQLite's files beside it hold the same records."""
    if os.name != "posix":
        return []
    files = [file for file in path.parent.glob(f"{path.name}*") if file.is_file()]
    if others := [file.name for file in files if file.stat().st_mode & _OTHERS]:
        return [
            warn(
                f"Other users of this machine may read {', '.join(sorted(others))}",
                f"chmod 600 {path}*",
            )
        ]
    strange = [file for file in files if file.stat().st_uid != os.geteuid()]
    if strange and os.geteuid() != 0:
        return [warn(f"{path} belongs to another user", "Run the doctor as the server's user.")]
    return [ok("Only this user may read its file")]
