"""``redmine-mcp accounts``: programs that call with an API key, and what each of them may do.

A secret is read from a file or a prompt and never from an argument, which other users of the
machine could see; what is made is told once, alone on standard output.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path

from cyclopts import App
from rich.table import Column, Table

from redmine_mcp_core.auth.accounts import (
    AccountError,
    ServiceAccount,
    ServiceAccounts,
    new_client_id,
)
from redmine_mcp_core.commands.console import err, fail, out, run
from redmine_mcp_core.commands.opened import opened
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.redmine import Credential, Gateway, Redmine, RedmineError, Unauthorized
from redmine_mcp_core.settings import Settings, load_settings

accounts = App(name="accounts", help="Let programs call with a Redmine API key of their own.")

TOKEN_LIFETIME = "90d"  # noqa: S105

_DURATION = re.compile(r"([1-9]\d{0,4})([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@accounts.command
def add(
    name: str,
    *,
    scopes: str,
    key_file: Path | None = None,
    read_only: bool = False,
    expires_in: str | None = None,
    introspect: bool = False,
) -> int:
    """Add an account, and check its API key with Redmine.

    Parameters
    ----------
    name
        Such as nightly-report.
    scopes
        The Redmine permissions whose tools it may call: "view_issues search_project".
    key_file
        A file that holds the API key. Without it, the key is asked for.
    read_only
        Let it call no tool that changes anything.
    expires_in
        When the account ends with all its tokens: 12h, 90d, 52w.
    introspect
        Let it ask what the tokens of this server stand for (a resource server of your own).
    """
    settings = load_settings()
    known = discover_plugins(Metrics()).components.scopes
    wanted = scopes.replace(",", " ").split()
    if unknown := sorted(set(wanted) - set(known)):
        return fail(f"No tool needs {', '.join(unknown)}. There are: {', '.join(known)}.")
    if not wanted:
        return fail("--scopes is empty, so this account could do nothing.")
    try:
        lifetime = seconds_in(expires_in) if expires_in else None
        key = _key(key_file)
    except AccountError as error:
        return fail(str(error))

    async def work(held: ServiceAccounts) -> int:
        async with Gateway(settings.redmine_url, deadline=settings.redmine_timeout) as gateway:
            user = await Redmine(gateway, Credential.api_key(key)).account()
        now = int(time.time())
        account = ServiceAccount(
            client_id=new_client_id(),
            name=name,
            user_id=user["id"],
            login=user["login"],
            api_key=key,
            scopes=tuple(dict.fromkeys(wanted)),
            read_only=read_only,
            introspects=introspect,
            created=now,
            expires=now + lifetime if lifetime else None,
        )
        await held.add(account)
        err.print(f"{name} acts in Redmine as {user['login']} (user {user['id']}).")
        if user.get("admin"):
            err.print("[yellow]That is an administrator[/]: an account of little power is safer.")
        err.print(f"Next: redmine-mcp accounts token {name}, or accounts secret {name}.")
        return 0

    return _with_accounts(settings, work)


@accounts.command(name="list")
def list_() -> int:
    """List the accounts with their scopes and tokens, and when each was last used."""
    return _with_accounts(load_settings(), _list)


@accounts.command
def token(name: str, *, expires_in: str = TOKEN_LIFETIME) -> int:
    """Make a long-lived token for an account, and print it this once.

    Parameters
    ----------
    name
        The account.
    expires_in
        How long it is good: 12h, 90d, 52w; no longer than the account.
    """

    async def work(held: ServiceAccounts) -> int:
        made, listed = await held.new_token(name, seconds_in(expires_in))
        err.print(f"Token {listed.id} of {name}, good until {_day(listed.expires)}. Shown once:")
        _tell(made)
        return 0

    return _with_accounts(load_settings(), work)


@accounts.command
def secret(name: str) -> int:
    """Make a new client secret for an account, and print it this once. The old one ends now.

    With it and its client ID the account gets tokens for an hour from /token, with the grant
    client_credentials.
    """

    async def work(held: ServiceAccounts) -> int:
        made = await held.new_secret(name)
        client_id = (await held.named(name)).client_id
        err.print(f"The client ID of {name} is {client_id}. Its new secret, shown once:")
        _tell(made)
        return 0

    return _with_accounts(load_settings(), work)


@accounts.command
def revoke(name_or_token_id: str) -> int:
    """End an account with all its tokens, or a single token, on every server at once.

    Parameters
    ----------
    name_or_token_id
        As `accounts list` shows them.
    """

    async def work(held: ServiceAccounts) -> int:
        ended = await held.revoke(name_or_token_id)
        err.print(f"Revoked: {ended}.")
        return 0

    return _with_accounts(load_settings(), work)


def seconds_in(duration: str) -> int:
    """``12h`` and the like in seconds. Raises ``AccountError``."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise AccountError(f"{duration} is no duration such as 12h, 90d or 52w.")
    return int(match[1]) * _SECONDS[match[2]]


async def _list(held: ServiceAccounts) -> int:
    # What is to be copied stands whole, however narrow the terminal.
    named = Column("account", no_wrap=True)
    may = Column("may", overflow="fold", min_width=16)
    table = Table(named, "user", may, "ends", "last used", box=None, padding=(0, 1, 0, 0))
    for account in await held.all():
        limits = [name for name in ("read_only", "introspects") if getattr(account, name)]
        table.add_row(
            f"{account.name}\n  {account.client_id}",
            f"{account.login} ({account.user_id})",
            " ".join([*account.scopes, *(f"[{limit.replace('_', '-')}]" for limit in limits)]),
            "never" if account.expires is None else _day(account.expires),
            _day(await held.last_used(account.client_id)),
        )
        for issued in account.live_tokens:
            used = _day(await held.last_used(issued.id))
            table.add_row(f"  token {issued.id}", "", "", _day(issued.expires), used)
    if table.row_count:
        out.print(table, markup=False, soft_wrap=True)
    else:
        err.print("There are no accounts. See: redmine-mcp accounts add --help")
    return 0


def _with_accounts(settings: Settings, work: Callable[[ServiceAccounts], Awaitable[int]]) -> int:
    async def checked() -> int:
        try:
            async with _held(settings) as held:
                return await work(held)
        except Unauthorized:
            return fail("Redmine knows no such API key, or its REST API is switched off.")
        except (AccountError, RedmineError) as error:
            return fail(str(error))

    return run(checked())


@asynccontextmanager
async def _held(settings: Settings) -> AsyncGenerator[ServiceAccounts]:
    if settings.token_store_url.startswith("memory:"):
        raise AccountError("TOKEN_STORE_URL is memory:, which no other process sees.")
    async with opened(settings.token_store_url) as backend:
        yield ServiceAccounts(encrypted(settings, backend))


def _key(path: Path | None) -> str:
    if path is not None:
        try:
            key = path.expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise AccountError(f"{path} cannot be read ({type(error).__name__}).") from error
    elif sys.stdin.isatty():
        key = getpass("Redmine API key: ")
    else:
        key = sys.stdin.readline()
    if not key.strip():
        raise AccountError("The API key is empty.")
    return key.strip()


def _tell(made: str) -> None:
    """A line of its own, so that it can be piped to where it belongs."""
    sys.stdout.write(f"{made}\n")


def _day(moment: int | None) -> str:
    if moment is None:
        return "never"
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
