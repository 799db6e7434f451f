"""From ``TOKEN_STORE_URL`` to an open store; never a silent fallback to another one."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from redmine_mcp_core.storage.contract import RecordStore, TokenStore, TokenStoreBackend
from redmine_mcp_core.storage.errors import StoreError

_log = logging.getLogger(__name__)

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

SWEEP_SECONDS = 300.0
"""How long expired entries may lie about; nobody ever sees one, they only take room."""

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
    async with backend.open(url) as store:
        task = asyncio.create_task(_sweep(store, sweep_every), name="token-store-sweep")
        try:
            yield store
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _sweep(store: TokenStore, every: float) -> None:
    while True:
        # Drawn by lot, so that replicas do not all sweep at the same moment.
        await asyncio.sleep(every * random.uniform(0.5, 1.5))  # noqa: S311
        try:
            gone = await store.purge_expired()
        except StoreError as error:
            _log.warning("The token store could not be swept: %s", error)
        else:
            _log.debug("%d expired entries were swept from the token store.", gone)


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
