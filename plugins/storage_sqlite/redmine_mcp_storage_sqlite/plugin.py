"""The plugin: it describes the store, and turns ``sqlite:///path`` into an open one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from redmine_mcp_core import RecordStore, StoreError, TokenStoreBackend, hookimpl
from redmine_mcp_storage_sqlite.store import SQLiteStore

_FORM = "write TOKEN_STORE_URL as sqlite:///absolute/path.sqlite3 or sqlite:///~/path.sqlite3"


def path_from_url(url: str) -> Path:
    """Return the file's absolute path; raise ``StoreError`` if the URL names none."""
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise StoreError(
            f"A sqlite URL takes no options; {_FORM}, with %3F for a ? and %23 for a #."
        )
    path = unquote(parts.path).lstrip("/")
    if parts.netloc or not parts.path.startswith("/") or not path:
        raise StoreError(f"The sqlite URL names no absolute path; {_FORM}.")
    if path == ":memory:":
        raise StoreError("For a store that lives in memory write TOKEN_STORE_URL as memory:")
    try:
        return Path(path).expanduser() if path.startswith("~") else Path("/", path)
    except RuntimeError:
        raise StoreError("The sqlite URL begins with ~, but no home directory is known.") from None


@asynccontextmanager
async def _open(url: str) -> AsyncGenerator[RecordStore]:
    store = await SQLiteStore.open(path_from_url(url))
    try:
        yield store
    finally:
        await store.close()


class _Plugin:
    api_version = 1

    @hookimpl
    def register_token_stores(self) -> Sequence[TokenStoreBackend]:
        return [TokenStoreBackend(name="sqlite", schemes=("sqlite",), open=_open)]


plugin = _Plugin()
