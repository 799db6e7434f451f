"""``redmine-mcp tools``: what a model is offered, as it reads it, and calling one by hand."""

from __future__ import annotations

import asyncio
import json as json_module
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter
from fastmcp import Client
from fastmcp.exceptions import ToolError
from mcp_types import TextContent, Tool
from rich.markup import escape
from rich.table import Table

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.commands.console import agreed, fail, is_interactive, out
from redmine_mcp_core.local import open_local
from redmine_mcp_core.mcp.building import build_mcp, discover_plugins
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Selection
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import Credential, Gateway, Redmine
from redmine_mcp_core.settings import SettingsError, load_local_settings
from redmine_mcp_core.storage import MemoryStore
from redmine_mcp_core.tools.current import Identity
from redmine_mcp_core.tools.declaration import Effect
from redmine_mcp_core.tools.notebook import Notebook

_NOWHERE = "http://redmine.invalid"
"""RFC 2606, section 2. Listing asks Redmine nothing."""

tools = App(name="tools", help="Show the tools as a model sees them, and call one.")


@tools.default
def list_(
    name: str | None = None, /, *, json: Annotated[bool, Parameter(negative="")] = False
) -> int:
    """List the tools, or show one with its schema.

    Parameters
    ----------
    name
        The tool to show. Without it, all are listed.
    json
        Print JSON, for programs.
    """
    configure_logging(log_format="console", level="error")
    plugins = discover_plugins(Metrics())
    index = ComponentIndex(plugins.components)
    selection = _selection()
    listed = asyncio.run(_listed(plugins, index, selection))
    rows = [_row(tool, index, listed=True) for tool in listed] + [
        _row(tool.to_mcp_tool(name=tool.name), index, listed=False)
        for tool in index.tools.values()
        if tool.name not in {other.name for other in listed} and selection.allows(tool.declaration)
    ]
    if name is None:
        return _show_all(rows, json=json)
    found = next((row for row in rows if row["name"] == name), None)
    if found is None:
        return fail(f"There is no tool {name}. See: redmine-mcp tools")
    return _show_one(found, json=json)


@tools.command
def call(
    name: str,
    arguments: str = "{}",
    /,
    *,
    yes: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Call a tool as the person of REDMINE_API_KEY.

    Parameters
    ----------
    name
        The tool.
    arguments
        Its arguments, as a JSON object: '{"project": "alpha"}'.
    yes
        Do not ask before it changes or destroys something.
    json
        Print the result's data, for programs.
    """
    settings = load_local_settings()
    configure_logging(log_format="console", level="error")
    try:
        given = json_module.loads(arguments)
    except ValueError as error:
        fail(f"The arguments are no JSON: {error}.")
        return 2
    if not isinstance(given, dict):
        fail('The arguments must be a JSON object, such as {"project": "alpha"}.')
        return 2
    plugins = discover_plugins(Metrics())
    tool = next((tool for tool in plugins.components.tools if tool.name == name), None)
    changes = tool and tool.declaration.effect is not Effect.READS and not given.get("dry_run")
    if tool and changes and not yes:
        question = f"{name} {_VERBS[tool.declaration.effect]} in {settings.redmine_url}. Call it?"
        if not is_interactive():
            return fail(f"{question} Say so with --yes.")
        if not agreed(question):
            return fail("It was not called.")

    async def work() -> int:
        async def answer(question: str, *_: object) -> dict[str, bool]:
            return {"value": yes or (is_interactive() and agreed(question))}

        async with open_local(settings, plugins) as mcp:
            asking = answer if changes else None
            async with Client(mcp, mode="legacy", elicitation_handler=asking) as client:
                result = await client.call_tool(name, given)
        if json:
            print(json_module.dumps(result.structured_content, indent=2, ensure_ascii=False))  # noqa: T201
        else:
            for block in result.content:
                text = block.text if isinstance(block, TextContent) else f"({block.type})"
                print(text)  # noqa: T201
        return 0

    try:
        return asyncio.run(work())
    except ToolError as error:
        return fail(str(error))


_VERBS = {Effect.WRITES: "changes something", Effect.DESTROYS: "destroys something"}


def _selection() -> Selection:
    """What the settings leave on offer; everything where there are none yet."""
    try:
        settings = load_local_settings()
    except SettingsError:
        return Selection()
    return Selection(tuple(settings.mcp_tools), settings.mcp_read_only)


async def _listed(plugins: Plugins, index: ComponentIndex, selection: Selection) -> Sequence[Tool]:
    """What a client is told that signed in with everything."""
    caller = Caller(0, "", "", frozenset(index.scopes), "tools")
    async with Gateway(_NOWHERE) as gateway:
        redmine = Redmine(gateway, Credential.api_key(""))
        identity = Identity(caller, redmine, Notebook(MemoryStore(), "tools"))
        mcp = build_mcp(plugins, index, lambda: identity, selection=selection)
        async with Client(mcp) as client:
            listed: Sequence[Tool] = await client.list_tools()
            return listed


def _row(tool: Tool, index: ComponentIndex, *, listed: bool) -> dict[str, Any]:
    ours = index.tools.get(tool.name)
    declared = ours.declaration if ours else None
    read = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
    }
    text = json_module.dumps(read, ensure_ascii=False, separators=(",", ":"))
    return {
        "name": tool.name,
        "listed": listed,
        "effect": str(declared.effect) if declared else "",
        "scopes": sorted(declared.scopes) if declared else [],
        "bytes": len(text.encode()),
        "description": tool.description or "",
        "input_schema": tool.input_schema,
    }


def _show_all(rows: list[dict[str, Any]], *, json: bool) -> int:
    if json:
        short = [{k: v for k, v in row.items() if k != "input_schema"} for row in rows]
        print(json_module.dumps({"tools": short}, indent=2, ensure_ascii=False))  # noqa: T201
        return 0
    for listed, title in ((True, "Listed to a model"), (False, "Found with find_tools")):
        some = [row for row in rows if row["listed"] is listed]
        size = sum(row["bytes"] for row in some)
        out.print(f"[bold]{title}[/]: {len(some)} tools, {size:,} bytes\n", highlight=False)
        table = Table("Tool", "Effect", "Bytes", "Scopes", box=None, pad_edge=False)
        table.columns[2].justify = "right"
        for row in some:
            size = f"{row['bytes']:,}"
            table.add_row(row["name"], row["effect"], size, " ".join(row["scopes"]))
        out.print(table)
        out.print()
    return 0


def _show_one(row: dict[str, Any], *, json: bool) -> int:
    if json:
        print(json_module.dumps(row, indent=2, ensure_ascii=False))  # noqa: T201
        return 0
    where = "listed" if row["listed"] else "found with find_tools"
    about = ", ".join(part for part in (row["effect"], where, f"{row['bytes']:,} bytes") if part)
    out.print(f"[bold]{row['name']}[/]  {about}", highlight=False)
    if row["scopes"]:
        out.print(f"Scopes: {' '.join(row['scopes'])}", highlight=False)
    out.print(f"\n{escape(row['description'])}\n", highlight=False)
    out.print_json(data=row["input_schema"])
    return 0
