"""``redmine-mcp keys``: change the keys of a server without signing anybody out."""

from __future__ import annotations

from datetime import UTC, datetime

from cyclopts import App
from rich.table import Column, Table

from redmine_mcp_core.auth.sessions import DAY
from redmine_mcp_core.auth.signing import Keyring, SigningKey
from redmine_mcp_core.commands.console import fail, out, run
from redmine_mcp_core.commands.opened import opened, show
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.settings import Settings, load_settings
from redmine_mcp_core.storage import TokenStore, rotate_keys

keys = App(name="keys", help="Change the keys that encrypt the token store and sign tokens.")


@keys.command
def rotate() -> int:
    """Encrypt every record anew with the first of MCP_ENCRYPTION_KEYS.

    Servers do that by themselves after they were started with a new first key, slowly; this does
    it now. Every server must have that key first in its list; the others may be removed afterwards.
    """
    return run(_rotate(load_settings()))


@keys.command(name="rotate-signing")
def rotate_signing() -> int:
    """Make a new key to sign tokens with, for MCP_SIGNING_ALGORITHM RS256 or EdDSA.

    It is published now and signs in two minutes, when every server and reader of the JWKS knows it.
    The old one verifies until its last token has expired. Nobody is signed out.
    """
    return run(_rotate_signing(load_settings()))


@keys.command(name="list")
def list_() -> int:
    """List the keys that sign tokens, or have signed tokens that are still good."""
    return run(_list(load_settings()))


async def _rotate_signing(settings: Settings) -> int:
    if settings.mcp_signing_algorithm == "HS256":
        return fail(
            "HS256 signs with JWT_SIGNING_KEY, and changing that signs everybody out. "
            "Set MCP_SIGNING_ALGORITHM to RS256 or EdDSA first; that signs nobody out."
        )
    async with opened(settings.token_store_url) as backend:
        new = await _keyring(settings, encrypted(settings, backend)).rotate()
    out.print(f"The key {new.kid} signs from {_moment(new.signs_from)} on.", soft_wrap=True)
    return 0


async def _list(settings: Settings) -> int:
    async with opened(settings.token_store_url) as backend:
        ring = _keyring(settings, encrypted(settings, backend))
        await ring.read()
    kid = Column("key", overflow="fold")
    table = Table(kid, "algorithm", "signs from", "signs until", "verifies until", box=None)
    for key in ring.keys:
        table.add_row(key.kid, key.algorithm, *_times(ring, key))
    if ring.keys:
        out.print(table, soft_wrap=True)
    else:
        out.print("There are no key pairs: tokens are signed with JWT_SIGNING_KEY (HS256).")
    return 0


def _times(ring: Keyring, key: SigningKey) -> list[str]:
    moments = (key.signs_from, key.signs_until, ring.verifies_until(key))
    return ["-" if moment is None else _moment(moment) for moment in moments]


def _moment(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _keyring(settings: Settings, store: TokenStore) -> Keyring:
    return Keyring(store, settings.mcp_signing_algorithm, lifetime=settings.mcp_session_days * DAY)


async def _rotate(settings: Settings) -> int:
    async with opened(settings.token_store_url) as backend:
        tally = await show(
            "encrypting", backend, rotate_keys(backend, encrypted(settings, backend))
        )
    out.print(f"{tally.changed} of {tally.seen} records encrypted anew; the others were already.")
    if tally.unreadable:
        return fail(f"{tally.unreadable} records open with none of the keys and stay as they are.")
    return 0
