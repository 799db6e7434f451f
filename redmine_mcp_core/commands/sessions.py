"""``redmine-mcp sessions``: who is signed in, and ending that.

It works on the token store, beside running servers: each of them notices at its next request.
"""

from __future__ import annotations

import json as json_module
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, cast

from cyclopts import App, Parameter
from rich.table import Table

from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from redmine_mcp_core.auth.sessions import Session, stored_sessions
from redmine_mcp_core.commands.console import agreed, err, fail, is_interactive, out, run
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import open_host
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.several import load_each
from redmine_mcp_core.storage import EncryptedStore

TOLD_SECONDS = 20.0
"""How long Redmine may take to hear of what ended."""
_OPERATOR = "operator"

sessions = App(name="sessions", help="List who is signed in, and end sign-ins.")


@sessions.command(name="list")
def list_(
    *,
    user: str | None = None,
    client: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the sign-ins that are good, the one used last first.

    Parameters
    ----------
    user
        Only those of this user: a login or an id.
    client
        Only those of this MCP client: its id.
    json
        Print JSON, for programs.
    """
    return run(_list(load_each(), user, client, json=json))


@sessions.command
def end(
    session_id: str | None = None,
    /,
    *,
    user: str | None = None,
    client: str | None = None,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """End sign-ins, on every server at its next request, and have Redmine revoke their tokens.

    Parameters
    ----------
    session_id
        The one to end, as `sessions list` shows it, or as much of it as is unique.
    user
        End those of this user: a login or an id.
    client
        End those of this MCP client: its id.
    all_
        End all of them.
    yes
        Do not ask before more than one is ended.
    """
    if sum(map(bool, (session_id, user or client, all_))) != 1:
        fail("Name what to end: one id, or --user, or --client, or --all.")
        return 2
    return run(_end(load_each(), session_id, user, client, yes=yes))


async def _list(
    each: Mapping[str, Settings], user: str | None, client: str | None, *, json: bool
) -> int:
    rows: list[tuple[str, Session]] = []
    for name, settings in each.items():
        if problem := _none_to_see(settings):
            return fail(problem)
        async with _opened(settings) as (proxy, store):
            live = await _live(proxy, store)
            rows += [(name, held) for held in live if _fits(held, user, client)]
    rows.sort(key=lambda row: -row[1].used)
    if json:
        listed = [{"redmine": name, **asdict(held)} for name, held in rows]
        print(json_module.dumps({"sessions": listed}, indent=2, ensure_ascii=False))  # noqa: T201
        return 0
    if not rows:
        err.print("Nobody is signed in.")
        return 0
    named = ["Redmine"] if any(each) else []
    table = Table("Session", *named, "User", "Client", "Way", "Since", "Last used", box=None)
    for name, held in rows:
        table.add_row(
            held.id[:12],
            *([name] if named else []),
            f"{held.login} ({held.user_id})",
            held.client_name,
            held.way,
            _when(held.began),
            _when(held.used),
        )
    out.print(table, markup=False)
    return 0


async def _end(
    each: Mapping[str, Settings],
    session_id: str | None,
    user: str | None,
    client: str | None,
    *,
    yes: bool,
) -> int:
    ended, told = 0, True
    for settings in each.values():
        if problem := _none_to_see(settings):
            return fail(problem)
        async with _opened(settings) as (proxy, store):
            chosen = [
                held
                async for held in stored_sessions(store)
                if held.id.startswith(session_id or "") and _fits(held, user, client)
            ]
            if session_id and len(chosen) > 1:
                return fail(f"{len(chosen)} sessions begin with {session_id}: name more of it.")
            if len(chosen) > 1 and not yes:
                if not is_interactive():
                    return fail(f"That would end {len(chosen)} sign-ins: say so with --yes.")
                if not agreed(f"End {len(chosen)} sign-ins at {settings.redmine_url}?"):
                    return fail("Nothing was ended.")
            for held in chosen:
                await proxy.end_session(held.id, _OPERATOR)
            ended += len(chosen)
            told = await proxy.revoked(within=TOLD_SECONDS) and told
    if not ended:
        return fail("There is no such sign-in. See: redmine-mcp sessions list")
    out.print(f"{ended} ended.")
    if not told:
        err.print(
            "Redmine could not be told. Nobody holds its tokens any more, and each ends by itself "
            "within two hours.",
            soft_wrap=True,
        )
    return 0


@asynccontextmanager
async def _opened(
    settings: Settings,
) -> AsyncIterator[tuple[RedmineOAuthProxy, EncryptedStore]]:
    """What ends sessions in a server, without a server."""
    metrics = Metrics()
    async with open_host(settings, discover_plugins(metrics), metrics) as host:
        yield cast("RedmineOAuthProxy", host.mcp.auth), cast("EncryptedStore", host.store)


async def _live(proxy: RedmineOAuthProxy, store: EncryptedStore) -> list[Session]:
    """Those whose tokens have not run out."""
    return [held async for held in stored_sessions(store) if await proxy.upstream_tokens(held.id)]


def _none_to_see(settings: Settings) -> str | None:
    if settings.token_store_url.startswith("memory:"):
        return "TOKEN_STORE_URL is memory:, which no other process sees."
    if settings.mcp_sign_in == ["header"]:
        return "With MCP_SIGN_IN=header nobody signs in: each request brings its own key."
    return None


def _fits(session: Session, user: str | None, client: str | None) -> bool:
    is_user = user is None or user in {session.login, str(session.user_id)}
    return is_user and (client is None or client == session.client_id)


def _when(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
