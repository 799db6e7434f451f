"""What a model sees at once, and how it finds the rest.

A listed tool costs every conversation its description and schema. So the daily ones are listed, and
the others are found by what they do and called by name: two small tools instead of sixty.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any

from fastmcp.exceptions import NotFoundError, ToolError
from fastmcp.server.dependencies import get_context
from fastmcp.tools import Tool, ToolResult
from mcp_types import ToolAnnotations
from pydantic import Field

from redmine_mcp_core.seams import OpenSearch
from redmine_mcp_core.tools import icons
from redmine_mcp_core.tools.declaration import Effect

FIND = "find_tools"
CALL = "call_tool"
MOST_FOUND = 5
MOST_DESCRIBED = 3
"""With their parameters; what else is found is only named."""
NOTHING_FOUND = "No tool fits. Say it in other words."

Withheld = Callable[[str], Sequence[str]]
"""Sentences about tools that fit what is looked for, and that this sign-in was not granted."""


class Surface(OpenSearch):
    """Lists only some tools; the others stand behind ``find_tools`` and ``call_tool``."""

    def __init__(self, listed: Sequence[str], withheld: Withheld = lambda _: ()) -> None:
        self._withheld = withheld
        super().__init__(
            max_results=MOST_FOUND,
            always_visible=list(listed),
            search_tool_name=FIND,
            call_tool_name=CALL,
        )
        self._found_by, self._called_by = self._finder(), self._caller()

    def search_tool(self) -> Tool:
        return self._found_by

    def call_tool(self) -> Tool:
        return self._called_by

    def _finder(self) -> Tool:
        async def find_tools(
            query: Annotated[str, Field(description="What you want to do")],
        ) -> str:
            """Find more tools, with their parameters, for what no listed tool does."""
            found = await self.search(query)
            described = [_described(tool) for tool in found[:MOST_DESCRIBED]] or [NOTHING_FOUND]
            if others := [f"{tool.name}: {_about(tool)}" for tool in found[MOST_DESCRIBED:]]:
                described.append("\n".join(["Further off, found by name:", *others]))
            return "\n\n".join([*described, *self._withheld(query)])

        return Tool.from_function(
            find_tools,
            title="Find more tools",
            icons=[icons.OF_EFFECT[Effect.READS]],
            annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
            output_schema=None,
        )

    def _caller(self) -> Tool:
        async def call_tool(name: str, arguments: dict[str, Any] | None = None) -> ToolResult:
            """Call a tool that find_tools named."""
            context = get_context()
            # Only what the caller could have found: this is a second way in for a model.
            offered = {tool.name for tool in await self.get_tool_catalog(context)} - {FIND, CALL}
            if name not in offered:
                raise _no_such_tool(name, offered) from NotFoundError(name)
            return await context.fastmcp.call_tool(name, arguments)

        return Tool.from_function(
            call_tool,
            title="Call a found tool",
            icons=[icons.OF_EFFECT[Effect.WRITES]],
            annotations=ToolAnnotations(read_only_hint=False, open_world_hint=False),
            output_schema=None,
        )


def _no_such_tool(name: str, offered: Collection[str]) -> ToolError:
    similar = get_close_matches(name, sorted(offered))
    meant = f" Is it {' or '.join(similar)}?" if similar else ""
    sentence = f"There is no tool {name[:60]!r} here.{meant} find_tools finds what there is."
    return ToolError(sentence, log_level=logging.DEBUG)


def _about(tool: Tool) -> str:
    return (tool.description or "").strip()


def _described(tool: Tool) -> str:
    """A tool as a model needs it to call it: a line for each parameter, the required ones first."""
    required = tool.parameters.get("required", ())
    known: Mapping[str, Mapping[str, Any]] = tool.parameters.get("properties", {})
    names = sorted(known, key=lambda name: name not in required)
    lines = [_parameter(name, known[name], required=name in required) for name in names]
    return "\n".join([f"### {tool.name}", _about(tool), *lines])


def _parameter(name: str, schema: Mapping[str, Any], *, required: bool) -> str:
    default = schema.get("default")
    about = [
        _kind(schema),
        "required" if required else "",
        f"default {json.dumps(default)}" if default else "",
    ]
    said = schema.get("description", "")
    return f"- `{name}` ({', '.join(filter(None, about))}){': ' if said else ''}{said}"


def _kind(schema: Mapping[str, Any]) -> str:
    """What a value is: a type, or those there are; null is left out, as the argument may be."""
    if values := schema.get("enum"):
        return " or ".join(map(json.dumps, values))
    if kinds := [_kind(one) for one in schema.get("anyOf", ()) if one.get("type") != "null"]:
        return " or ".join(dict.fromkeys(kinds))
    if items := schema.get("items"):
        return f"array of {_kind(items)}"
    kinds = schema.get("type", "any")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
