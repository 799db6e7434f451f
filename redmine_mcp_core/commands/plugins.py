"""``redmine-mcp plugins``: what is installed, and what is wrong with it."""

from __future__ import annotations

import json as json_module
from collections.abc import Collection
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from redmine_mcp_core.checks.form import boxes
from redmine_mcp_core.commands.console import out
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.tools.declaration import ADMIN


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
        out.print(table if reports else "No plugin is installed: pip install redmine-mcp-issues")
        if scopes := [scope for scope in found.components.scopes if scope != ADMIN]:
            out.print("\nScopes to tick for the application in Redmine, as its form calls them:")
            out.print(_to_tick(scopes))
    return 1 if any(report.problem for report in reports) else 0


def _to_tick(scopes: Collection[str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for heading, labels in boxes(scopes).items():
        for scope, label in labels.items():
            table.add_row(heading, label, scope)
            heading = ""
    return table
