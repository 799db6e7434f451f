"""What a server says when it has started: what to paste where, and who can log in."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent

from rich.markup import escape

from redmine_mcp_core.clients.front import server_of
from redmine_mcp_core.clients.table import Server, quickest
from redmine_mcp_core.demo import DemoAccount
from redmine_mcp_core.settings import Settings


def greeting(each: Mapping[str, Settings], accounts: Sequence[DemoAccount]) -> Iterator[str]:
    """Where the server is, what to paste where, and who can log in."""
    for name, settings in each.items():
        url = f"[bold cyan]{settings.mcp_url}[/]"
        yield f"\n[bold]Redmine MCP[/] serves {settings.redmine_url} at {url}\n"
        yield from configuration(server_of(name, settings))
    front = next(iter(each.values())).public_url
    yield f"\nButtons that do it for you, and more clients: [cyan]{front}/[/]"
    if accounts:
        yield "\n[bold]Who can log in[/]"
        for account in accounts:
            yield f"  {account.login:<6} {account.password:<14} {account.can}"
    yield "\nCtrl-C ends it.\n"


def configuration(server: Server) -> Iterator[str]:
    """What to paste into each client that can reach a server, in rich's markup."""
    if server.is_local:
        # A client does not find what is installed in a virtual environment.
        server = replace(server, command=(own_command(),))
    for client, recipe in quickest(server):
        yield f"[bold]{client.name}[/]  [dim]{escape(recipe.where)}[/]"
        yield escape(indent(recipe.text(server, one_line=True), "  "))


def own_command() -> str:
    """The program that runs here, for a client that starts it from anywhere."""
    own = Path(sys.argv[0])
    return str(own.resolve()) if own.stem == "redmine-mcp" else "redmine-mcp"


def typed_command() -> str:
    """The program that runs here, as a person starts it: a shell need not find it by its name."""
    own = Path(sys.argv[0])
    found = shutil.which("redmine-mcp")
    is_found = found is not None and Path(found).resolve() == own.resolve()
    return "redmine-mcp" if is_found or own.stem != "redmine-mcp" else str(own)
