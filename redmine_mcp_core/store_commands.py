"""``redmine-mcp store ...`` and ``redmine-mcp keys ...``: what an operator does with the store.

All of it may run while servers use the store, may be stopped at any moment and run again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from cyclopts import App
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import discover_plugins
from redmine_mcp_core.settings import Settings, load_settings
from redmine_mcp_core.storage import (
    RecordStore,
    StoreError,
    Tally,
    copy_records,
    inspect_records,
    open_store,
    redact_url,
    rotate_keys,
)

store = App(name="store", help="Check, move and tidy up the token store.")
keys = App(name="keys", help="Change the keys that the token store is encrypted with.")

_out = Console()
_err = Console(stderr=True)


@store.command
def copy(source: str, target: str) -> int:
    """Copy all sign-ins from one token store to another, say from SQLite to Redis.

    Stop the servers first: what is signed out or refreshed meanwhile may be copied as it was. Run
    again, it writes only what is missing or different. Both stores need the same keys.

    Parameters
    ----------
    source
        The URL of the store to read, as in TOKEN_STORE_URL.
    target
        The URL of the store to write.
    """
    if source == target:
        return _fail("FROM and TO are the same store.")
    return _run(_copy(source, target))


@store.command
def check() -> int:
    """Open the token store, write and read in it, and count records that no key opens."""
    return _run(_check(load_settings()))


@store.command
def purge() -> int:
    """Delete what has expired. Servers do that by themselves; this does it now."""
    return _run(_purge(load_settings()))


@keys.command
def rotate() -> int:
    """Encrypt every record anew with the first of MCP_ENCRYPTION_KEYS.

    Every server must know that key first; the old ones may be removed afterwards.
    """
    return _run(_rotate(load_settings()))


async def _copy(source_url: str, target_url: str) -> int:
    async with _opened(source_url) as source, _opened(target_url) as target:
        tally = await _show("copying", copy_records(source, target))
    already = tally.seen - tally.changed
    _out.print(f"{tally.changed} records copied, {already} were there already.")
    return 0


async def _check(settings: Settings) -> int:
    url = settings.token_store_url
    async with _opened(url) as backend:
        _out.print(f"[green]✓[/] {escape(redact_url(url))} opens", highlight=False)
        await backend.ping()
        key, value = f"check-{secrets.token_hex(8)}", {"check": secrets.token_hex(8)}
        sealed = encrypted(settings, backend)
        await sealed.put(key, value, collection="check", ttl=60)
        if await sealed.pop(key, collection="check") != value:
            return _fail("What was written does not read back.")
        async with sealed.lock(key, ttl=10):
            _out.print("[green]✓[/] it can be written, read and locked")
        tally = await _show("reading", inspect_records(backend, sealed))
    if tally.unreadable:
        return _fail(
            f"{tally.unreadable} of {tally.seen} records open with none of the keys: a key is "
            "missing from MCP_ENCRYPTION_KEYS, or JWT_SIGNING_KEY was changed."
        )
    _out.print(f"[green]✓[/] all {tally.seen} records open")
    return 0


async def _purge(settings: Settings) -> int:
    async with _opened(settings.token_store_url) as backend:
        gone = await backend.purge_expired()
    _out.print(f"{gone} expired records deleted.")
    return 0


async def _rotate(settings: Settings) -> int:
    async with _opened(settings.token_store_url) as backend:
        tally = await _show("encrypting", rotate_keys(backend, encrypted(settings, backend)))
    _out.print(f"{tally.changed} of {tally.seen} records encrypted anew; the others were already.")
    if tally.unreadable:
        return _fail(f"{tally.unreadable} records open with none of the keys and stay as they are.")
    return 0


@asynccontextmanager
async def _opened(url: str) -> AsyncGenerator[RecordStore]:
    async with open_store(url, discover_plugins(Metrics()).token_stores) as backend:
        yield backend


async def _show(what: str, tallies: AsyncIterator[Tally]) -> Tally:
    """Draw how far it is. How many records there are, a store cannot tell cheaply."""
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.completed:.0f} records"))
    tally = Tally()
    with Progress(*columns, TimeElapsedColumn(), console=_err, transient=True) as progress:
        task = progress.add_task(what, total=None)
        async for tally in tallies:
            progress.update(task, completed=tally.seen)
    return tally


def _run(work: Coroutine[Any, Any, int]) -> int:
    configure_logging(log_format="console", level="error")
    try:
        return asyncio.run(work)
    except StoreError as error:
        return _fail(str(error))


def _fail(sentence: str) -> int:
    _err.print(f"[bold red]✗[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    return 1
