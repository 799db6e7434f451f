"""``redmine-mcp doctor``: what is right about a set-up, what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import json as json_module
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from typing import Annotated

import httpx
from cyclopts import Parameter
from dotenv import dotenv_values
from rich.markup import escape
from rich.table import Table

from redmine_mcp_core.auth.sessions import Session, stored_sessions
from redmine_mcp_core.checks import Finding, State, application, fail, ok, person, server, warn
from redmine_mcp_core.checks.form import unknown
from redmine_mcp_core.checks.plugins import installed
from redmine_mcp_core.checks.redmine import Look, look_at
from redmine_mcp_core.checks.store import token_store
from redmine_mcp_core.commands.console import ask, out
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Selection
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.settings import (
    Settings,
    SettingsError,
    load_local_settings,
)
from redmine_mcp_core.several import load_each
from redmine_mcp_core.storage import StoreError, open_store
from redmine_mcp_core.ways_in import scopes_to_ask_for

MARKS = {State.OK: "[green]✓[/]", State.WARN: "[yellow]![/]", State.FAIL: "[bold red]✗[/]"}

Findings = AsyncIterator[tuple[str, Finding]]
"""Each with what it is about."""


def doctor(
    *,
    sign_in: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Check the settings, the way to Redmine, the application there, the token store and our port.

    The server need not run. Exit code 1 if anything is wrong.

    Parameters
    ----------
    sign_in
        Have a person sign in once in the browser, to see that the redirect URI and the scopes are
        right. Nothing of the sign-in stays.
    json
        Print JSON, for programs.
    """
    configure_logging(log_format="console", level="error")
    found = asyncio.run(_told(sign_in=sign_in, json=json))
    if json:
        rows = [
            {"about": about, "state": item.state, "what": item.what, "advice": item.advice}
            for about, item in found
        ]
        print(json_module.dumps({"findings": rows}, indent=2, ensure_ascii=False))  # noqa: T201
    else:
        _sum_up([item for _, item in found])
    return 1 if any(item.state is State.FAIL for _, item in found) else 0


def show(finding: Finding) -> None:
    """One finding, on a line of its own with what to do below."""
    lines = [(MARKS[finding.state], finding.what)]
    lines += [("  [dim]→[/]", finding.advice)] if finding.advice else []
    for mark, text in lines:
        if out.is_terminal:
            grid = Table.grid(padding=(0, 1))
            grid.add_row(mark, escape(text))
            out.print(grid, highlight=False)
        else:
            out.print(f"{mark} {escape(text)}", highlight=False, soft_wrap=True)


async def _told(*, sign_in: bool, json: bool) -> list[tuple[str, Finding]]:
    found: list[tuple[str, Finding]] = []
    heading = ""
    async for about, finding in _examine(sign_in=sign_in):
        found.append((about, finding))
        if json:
            continue
        if about != heading:
            heading = about
            out.print(f"\n[bold]{escape(about)}[/]", highlight=False)
        show(finding)
    return found


def _sum_up(found: list[Finding]) -> None:
    wrong = sum(item.state is State.FAIL for item in found)
    doubtful = sum(item.state is State.WARN for item in found)
    if wrong:
        out.print(f"\n[bold red]{wrong} to put right[/], {doubtful} to look at.", highlight=False)
    elif doubtful:
        out.print(f"\nNothing is wrong; [yellow]{doubtful} to look at[/].", highlight=False)
    else:
        out.print("\n[green]All is well.[/]")


async def _examine(*, sign_in: bool) -> Findings:
    plugins = discover_plugins(Metrics())
    try:
        each = load_each()
    except SettingsError as error:
        if (local := _local()) is None:
            for finding in _setting_problems(error):
                yield "Settings", finding
            # Redmine is looked at all the same, where there is an address to look at.
            each = {}
        else:
            each = {"": local}
    common = next(iter(each.values()), None)
    for finding in installed(plugins, common.mcp_required_plugins if common else []):
        yield "Plugins", finding
    if common is None:
        url = os.environ.get("REDMINE_URL") or dotenv_values(".env").get("REDMINE_URL") or ""
        if url.startswith(("http://", "https://")):
            async for finding in look_at(Look(url.rstrip("/"))):
                yield "Redmine", finding
        return
    yield "Settings", ok("The settings are valid" + _env_file())
    async for about, finding in _of_each(each, plugins, sign_in=sign_in):
        yield about, finding
    if common.token_store_url.startswith("memory:") and _is_local(common):
        return
    backends = plugins.token_stores
    async for finding in token_store(list(each.values()), backends):
        yield "Token store", finding
    listening, running = server.port(common)
    yield "Server", listening
    for settings in each.values():
        async for finding in server.public_url(settings, running=running):
            yield "Server", finding


def _setting_problems(error: SettingsError) -> list[Finding]:
    return [
        fail(
            problem.replace("`", ""),
            "Write it into .env, or set it in the environment; to begin: redmine-mcp init",
        )
        for problem in error.problems
    ]


def _local() -> Settings | None:
    """The settings of ``stdio``, where those of a server are not set but an API key is."""
    try:
        settings = load_local_settings()
    except SettingsError:
        return None
    return settings if settings.redmine_api_key else None


def _is_local(settings: Settings) -> bool:
    return settings.redmine_client_id is None and settings.redmine_api_key is not None


def _env_file() -> str:
    return f", some of them from {Path('.env').resolve()}" if Path(".env").is_file() else ""


async def _of_each(each: Mapping[str, Settings], plugins: Plugins, *, sign_in: bool) -> Findings:
    for name, settings in each.items():
        about = f"Redmine {name}".strip()
        look = Look(settings.redmine_url)
        async for finding in look_at(look):
            yield about, finding
        if not look.answers:
            continue
        if settings.redmine_api_key:
            yield about, await person.api_key(settings.redmine_url, settings.redmine_api_key)
        if "oauth" not in settings.mcp_sign_in:
            continue
        if not look.oauth:
            yield (
                about,
                fail(
                    "MCP_SIGN_IN asks for OAuth, which came with Redmine 6.1",
                    "Update Redmine, or set MCP_SIGN_IN=key-login: people then sign in with their "
                    "API key.",
                ),
            )
            continue
        about = f"OAuth application {name}".strip()
        async for finding in _application(settings, plugins, sign_in=sign_in):
            yield about, finding


async def _application(
    settings: Settings, plugins: Plugins, *, sign_in: bool
) -> AsyncIterator[Finding]:
    finding = await _asked(application.credentials(settings))
    yield finding
    scopes = wanted_scopes(settings, plugins)
    if others := unknown(scopes):
        yield warn(
            f"Redmine itself has no permission called {' '.join(others)}",
            "Redmine refuses every sign-in that asks for a scope that is not ticked: if no plugin "
            "in Redmine brings it, it is misspelt in a plugin here.",
        )
    if sign_in and finding.state is State.OK:
        yield await try_sign_in(settings, scopes)
        return
    if finding.state is State.OK:
        sign_ins = [(session.began, session.scopes) for session in await _stored(settings, plugins)]
        yield application.granted(settings, scopes, sign_ins)


async def _asked(finding: Awaitable[Finding]) -> Finding:
    try:
        return await finding
    except httpx.HTTPError as error:
        return fail(
            f"Redmine's token endpoint breaks off ({type(error).__name__})",
            "Look into the log of Redmine, and of the proxy before it.",
        )


def wanted_scopes(settings: Settings, plugins: Plugins) -> list[str]:
    """What a sign-in asks Redmine for."""
    selection = Selection(tuple(settings.mcp_tools), settings.mcp_read_only)
    return scopes_to_ask_for(ComponentIndex(plugins.components), selection, settings.redmine_scopes)


async def try_sign_in(settings: Settings, scopes: list[str]) -> Finding:
    """Have the person at the terminal sign in once. Nothing of it stays."""
    if not sys.stdin.isatty():
        return warn("Nobody can sign in here: this is no terminal", "Run it in one.")
    trial = application.Trial(settings, scopes)
    out.print("\n  Open this in a browser, sign in and allow it:\n")
    out.print(f"  {escape(trial.url)}\n", highlight=False, soft_wrap=True)
    out.print(f"  It ends at {settings.callback_url}, on a page that need not load.")
    return await _asked(trial.judge(ask("  Paste its whole address")))


async def _stored(settings: Settings, plugins: Plugins) -> list[Session]:
    """The sign-ins by OAuth so far. What is wrong with the store is said elsewhere."""
    if settings.token_store_url.startswith("memory:"):
        return []
    try:
        async with open_store(settings.token_store_url, plugins.token_stores) as backend:
            store = encrypted(settings, backend)
            return [held async for held in stored_sessions(store) if held.way == "oauth"]
    except StoreError:
        return []
