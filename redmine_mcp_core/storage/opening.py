"""From ``TOKEN_STORE_URL`` to an open store; never a silent fallback to another one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from redmine_mcp_core.storage.contract import StoreError, TokenStore, TokenStoreBackend

_SQLITE = "redmine-mcp-storage-sqlite"
_REDIS = "redmine-mcp-storage-redis"
_DISTRIBUTIONS = {"sqlite": _SQLITE, "redis": _REDIS, "rediss": _REDIS}

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(//)?", re.IGNORECASE)  # RFC 3986 section 3.1


def open_store(
    url: str, backends: Sequence[TokenStoreBackend]
) -> AbstractAsyncContextManager[TokenStore]:
    """Hand the URL to the one backend that answers to its scheme, to be entered by the caller.

    Raises ``StoreError`` at once if there is none, or more than one; entering it raises
    ``StoreError`` if the backend cannot open the store.
    """
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    answering = [backend for backend in backends if scheme in backend.schemes]
    if len(answering) == 1:
        return answering[0].open(url)
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
