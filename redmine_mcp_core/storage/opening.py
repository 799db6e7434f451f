"""From ``TOKEN_STORE_URL`` to an open store; never a silent fallback to another one."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from redmine_mcp_core.storage.contract import RecordStore, TokenStoreBackend
from redmine_mcp_core.storage.errors import StoreError
from redmine_mcp_core.storage.upkeep import SWEEP_SECONDS, sweeping

_SQLITE = "redmine-mcp-storage-sqlite"
_REDIS = "redmine-mcp-storage-redis"
_DISTRIBUTIONS = {
    "sqlite": _SQLITE,
    **{
        f"{scheme}{topology}": _REDIS
        for scheme in ("redis", "rediss")
        for topology in ("", "+sentinel", "+cluster")
    },
}

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(//)?", re.IGNORECASE)  # RFC 3986 section 3.1


def open_store(
    url: str, backends: Sequence[TokenStoreBackend], *, sweep_every: float = SWEEP_SECONDS
) -> AbstractAsyncContextManager[RecordStore]:
    """Hand the URL to the one backend that answers to its scheme, to be entered by the caller.

    Raises ``StoreError`` at once if there is none, or more than one; entering it raises
    ``StoreError`` if the backend cannot open the store. While it is open, expired entries are
    swept out of it about every ``sweep_every`` seconds.
    """
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    answering = [backend for backend in backends if scheme in backend.schemes]
    if len(answering) == 1:
        return _opened(answering[0], url, sweep_every)
    if answering:
        names = ", ".join(sorted(backend.name for backend in answering))
        raise StoreError(
            f"More than one token store answers to {scheme}: URLs ({names}); remove all but one."
        )
    if distribution := _DISTRIBUTIONS.get(scheme):
        raise StoreError(
            f"No token store for {scheme}: URLs is installed; run `pip install {distribution}`."
        )
    available = ", ".join(sorted(f"{scheme}:" for b in backends for scheme in b.schemes))
    # Without the slashes the "scheme" may be a user name, or worse, so it is not repeated.
    unknown = f"{scheme}: URLs" if match and match[2] else "this TOKEN_STORE_URL"
    raise StoreError(
        f"No token store answers to {unknown}; it may begin with "
        f"{available or 'nothing, as no token store is installed'}."
    )


@asynccontextmanager
async def _opened(
    backend: TokenStoreBackend, url: str, sweep_every: float
) -> AsyncGenerator[RecordStore]:
    async with backend.open(url) as store, sweeping(store, sweep_every):
        yield store


def redact_url(url: str) -> str:
    """Return the URL without what may be secret: user, password and options."""
    match = _SCHEME.match(url)
    if not match:
        return "(hidden)"
    if not match[2]:
        return f"{match[1]}:"
    location, *options = re.split(r"[?#]", url[match.end() :], maxsplit=1)
    if "@" in "".join(options):
        # A password with a ? or # that nobody encoded: where it ends, one can only guess.
        return f"{match[1]}://(hidden)"
    if not location.startswith("/"):
        location = location.rpartition("@")[2]
    return f"{match[1]}://{location}"
