"""``redmine-mcp keys``: change the keys of a server without signing anybody out."""

from __future__ import annotations

from cyclopts import App

from redmine_mcp_core.commands.console import fail, out, run
from redmine_mcp_core.commands.opened import opened, show
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.settings import Settings, load_settings
from redmine_mcp_core.storage import rotate_keys

keys = App(name="keys", help="Change the keys that the token store is encrypted with.")


@keys.command
def rotate() -> int:
    """Encrypt every record anew with the first of MCP_ENCRYPTION_KEYS.

    Every server must know that key first; the old ones may be removed afterwards.
    """
    return run(_rotate(load_settings()))


async def _rotate(settings: Settings) -> int:
    async with opened(settings.token_store_url) as backend:
        tally = await show("encrypting", rotate_keys(backend, encrypted(settings, backend)))
    out.print(f"{tally.changed} of {tally.seen} records encrypted anew; the others were already.")
    if tally.unreadable:
        return fail(f"{tally.unreadable} records open with none of the keys and stay as they are.")
    return 0
