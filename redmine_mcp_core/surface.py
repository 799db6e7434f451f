"""What a model sees at once, and how it finds the rest.

A listed tool costs every conversation its description and schema. So the daily ones are listed, and
the others are found by what they do and called by name: two small tools instead of sixty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastmcp.exceptions import NotFoundError
from fastmcp.server.dependencies import get_context
from fastmcp.server.transforms.search.base import serialize_tools_for_output_markdown
from fastmcp.tools import Tool, ToolResult
from mcp_types import ToolAnnotations
from pydantic import Field

from redmine_mcp_core import icons
from redmine_mcp_core.declaration import Effect
from redmine_mcp_core.seams import OpenSearch

FIND = "find_tools"
CALL = "call_tool"
MOST_FOUND = 5


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
            described = serialize_tools_for_output_markdown(
                [tool.model_copy(update={"output_schema": None}) for tool in found]
            )
            return "\n\n".join([described, *self._withheld(query)])

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
                raise NotFoundError(f"Unknown tool: {name!r}")
            return await context.fastmcp.call_tool(name, arguments)

        return Tool.from_function(
            call_tool,
            title="Call a found tool",
            icons=[icons.OF_EFFECT[Effect.WRITES]],
            annotations=ToolAnnotations(read_only_hint=False, open_world_hint=False),
            output_schema=None,
        )
