"""``redmine-mcp``: serve a Redmine, try a demo, look at the plugins and the settings.

Exit codes: 0 done, 1 something the command checks is not right, 2 settings that cannot work.
"""

from __future__ import annotations

import asyncio
import json as json_module
import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from redmine_mcp_core import docs, serving, store_commands
from redmine_mcp_core.declaration import ADMIN
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import discover_plugins
from redmine_mcp_core.settings import SettingsError, default_store_url, load_settings

app = App(
    name="redmine-mcp",
    help="Work in your Redmine from any MCP client, as yourself.",
    version_flags=["--version"],
)

app.command(store_commands.store)
app.command(store_commands.keys)

_out = Console()
_err = Console(stderr=True)


@app.command
def serve() -> int:
    """Serve the Redmine that the environment, or a .env file here, names."""
    settings = load_settings()
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    asyncio.run(serving.serve(settings, _out))
    return 0


@app.command
def demo() -> int:
    """Serve a small Redmine that lives in memory, to try things without one of your own."""
    configure_logging(log_format="console", level="warning")
    asyncio.run(serving.serve_demo(_out, store_url=default_store_url("demo")))
    return 0


@app.command
def plugins(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the installed plugins, what they contribute, and why any was left out.

    Parameters
    ----------
    json
        Print JSON, for programs.
    """
    configure_logging(log_format="console", level="error")
    found = discover_plugins(Metrics())
    reports = found.reports
    if json:
        print(json_module.dumps({"plugins": [report.as_dict() for report in reports]}, indent=2))  # noqa: T201
    else:
        table = Table("Plugin", "Version", "State", "Contributes", box=None, pad_edge=False)
        for report in reports:
            row = report.as_dict()
            kinds = ("tools", "resources", "prompts", "token_stores")
            contributes = [
                f"{kind.replace('_', ' ')}: {', '.join(row[kind])}" for kind in kinds if row[kind]
            ]
            table.add_row(
                report.name, report.version, row["state"], report.problem or "\n".join(contributes)
            )
        _out.print(table if reports else "No plugin is installed: pip install redmine-mcp-issues")
        if scopes := [scope for scope in found.components.scopes if scope != ADMIN]:
            _out.print("\nScopes to tick for the application in Redmine:\n  " + "\n  ".join(scopes))
    return 1 if any(report.problem for report in reports) else 0


@app.command
def settings(*, markdown: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List every setting, what it means and its default.

    Parameters
    ----------
    markdown
        Print the table that stands in the README.
    """
    if markdown:
        print(docs.settings_table())  # noqa: T201
        return 0
    table = Table("Setting", "Default", "Meaning", box=None, pad_edge=False)
    for row in docs.setting_rows():
        table.add_row(row.name, row.default, row.description.replace("`", ""))
    _out.print(table)
    return 0


def main() -> None:
    """The entry point of the ``redmine-mcp`` command."""
    try:
        sys.exit(app())
    except SettingsError as error:
        for problem in error.problems:
            _err.print(f"[bold red]✗[/] {escape(problem)}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
