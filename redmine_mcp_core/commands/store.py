"""``redmine-mcp store``: what an operator does with the token store.

All of it may run while servers use the store, may be stopped at any moment and run again.
"""

from __future__ import annotations

import secrets

from cyclopts import App
from rich.markup import escape

from redmine_mcp_core.commands.console import fail, out, run
from redmine_mcp_core.commands.opened import opened, show
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.settings import Settings, load_settings
from redmine_mcp_core.storage import copy_records, inspect_records, redact_url

store = App(name="store", help="Check, move and tidy up the token store.")


@store.command
def copy(source: str, target: str) -> int:
    """Copy all sign-ins from one token store to another, say from SQLite to Redis.

    Stop the servers first: what is signed out or refreshed meanwhile may be copied as it was. If
    it is interrupted, run it again: it writes only what is missing or different. Both stores need
    the same keys.

    Parameters
    ----------
    source
        The URL of the store to read, as in TOKEN_STORE_URL.
    target
        The URL of the store to write.
    """
    if source == target:
        return fail("SOURCE and TARGET are the same store.")
    return run(_copy(source, target))


@store.command
def check() -> int:
    """Open the token store, write and read in it, and count records that no key opens."""
    return run(_check(load_settings()))


@store.command
def purge() -> int:
    """Delete what has expired. Servers do that by themselves; this does it now."""
    return run(_purge(load_settings()))


async def _copy(source_url: str, target_url: str) -> int:
    async with opened(source_url) as source, opened(target_url) as target:
        tally = await show("copying", source, copy_records(source, target))
    if not tally.seen:
        return fail(f"{redact_url(source_url)} holds nothing. Is this the store to copy from?")
    already = tally.seen - tally.changed
    to = escape(redact_url(target_url))
    out.print(
        f"[green]✓[/] {tally.changed} records copied to {to}, {already} were there already.",
        highlight=False,
        soft_wrap=True,
    )
    return 0


async def _check(settings: Settings) -> int:
    url = settings.token_store_url
    async with opened(url) as backend:
        out.print(f"[green]✓[/] {escape(redact_url(url))} opens", highlight=False)
        await backend.ping()
        key, value = f"check-{secrets.token_hex(8)}", {"check": secrets.token_hex(8)}
        sealed = encrypted(settings, backend)
        await sealed.put(key, value, collection="check", ttl=60)
        if await sealed.pop(key, collection="check") != value:
            return fail("What was written does not read back.")
        async with sealed.lock(key, ttl=10):
            out.print("[green]✓[/] it can be written, read and locked")
        tally = await show("reading", backend, inspect_records(backend, sealed))
    if tally.unreadable:
        return fail(
            f"{tally.unreadable} of {tally.seen} records open with none of the keys: a key is "
            "missing from MCP_ENCRYPTION_KEYS, or JWT_SIGNING_KEY was changed."
        )
    out.print(f"[green]✓[/] all {tally.seen} records open")
    return 0


async def _purge(settings: Settings) -> int:
    async with opened(settings.token_store_url) as backend:
        gone = await backend.purge_expired()
    out.print(f"{gone} expired records deleted.")
    return 0
