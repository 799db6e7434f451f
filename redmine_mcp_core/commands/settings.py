"""``redmine-mcp settings``: every setting, what it means and its default."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.table import Column, Table

from redmine_mcp_core.commands.console import out
from redmine_mcp_core.docs import tables as docs


def settings(*, markdown: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List every setting, what it means and its default.

    Parameters
    ----------
    markdown
        Print them as they stand in docs/settings.md.
    """
    if markdown:
        print(docs.settings_tables())  # noqa: T201
        return 0
    table = Table(
        "Setting", "Default", Column("Meaning", overflow="fold"), box=None, pad_edge=False
    )
    for row in docs.setting_rows():
        table.add_row(row.name, row.default, row.description.replace("`", ""))
    out.print(table)
    return 0
