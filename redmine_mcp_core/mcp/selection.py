"""Which tools this server offers: all of them, the reading ones, or those that were named.

The operator decides with ``MCP_TOOLS`` and ``MCP_READ_ONLY``. A request may narrow that with the
headers ``X-MCP-Tools`` and ``X-MCP-Read-Only``, and never widen it: both have to agree. A tool for
files of the caller's own computer is offered only where the server runs on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fastmcp.server.dependencies import get_http_headers

from redmine_mcp_core.events import Refusal, ToolCall
from redmine_mcp_core.tools.components import API_VERSION, hookimpl
from redmine_mcp_core.tools.current import current_identity
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration

TOOLS_HEADER = "x-mcp-tools"
READ_ONLY_HEADER = "x-mcp-read-only"

MOST_PATTERNS = 100
LONGEST_PATTERN = 64
"""Characters. Both bound what a request can make us compile."""
NO_TOOL = "-"
"""A pattern that fits no name of a tool."""

NEEDS_FILES = (
    "works with files of your own computer: where this server runs on it (redmine-mcp stdio) and "
    "MCP_FILES_FOLDER names a folder."
)

_NO = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of tools: by pattern of their names, and whether they may change anything."""

    patterns: tuple[str, ...] = ()
    """Such as ``search_issues`` or ``*_issue``. None at all stands for every tool."""
    read_only: bool = False

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Selection:
        """The choice of one request; names of headers in lower case.

        A pattern too many or too long fits no tool, so that it narrows as it was meant to.
        """
        asked = headers.get(TOOLS_HEADER, "").replace(",", " ").split()
        fit = [item for item in asked[:MOST_PATTERNS] if len(item) <= LONGEST_PATTERN]
        return cls(
            patterns=tuple(fit or [NO_TOOL] if asked else ()),
            read_only=headers.get(READ_ONLY_HEADER, "").strip().lower() not in _NO,
        )

    def allows(self, tool: ToolDeclaration) -> bool:
        if self.read_only and tool.effect is not Effect.READS:
            return False
        return not self.patterns or any(fnmatchcase(tool.name, item) for item in self.patterns)

    def why_not(self, tool: ToolDeclaration) -> str:
        """One sentence for somebody who calls a tool that is not offered."""
        if self.read_only and tool.effect is not Effect.READS:
            return f"This server is read-only, and {tool.name} would change something."
        return f"{tool.name} is not among the tools that are offered here."


class Offer:
    """What is offered at this moment: the operator's choice, narrowed by the present request's."""

    def __init__(self, operators: Selection) -> None:
        self._operators = operators

    def refusal(self, tool: ToolDeclaration) -> str | None:
        """Why the tool is not offered, or None if it is."""
        if tool.local and current_identity().files.folder is None:
            return f"{tool.name} {NEEDS_FILES}"
        for choice in (self._operators, Selection.from_headers(get_http_headers())):
            if not choice.allows(tool):
                return choice.why_not(tool)
        return None


class OfferRule:
    """A tool that is not offered is not called either, whoever knows its name."""

    api_version = API_VERSION

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    @hookimpl
    def before_tool_call(self, call: ToolCall) -> None:
        if reason := self._offer.refusal(call.declaration):
            raise Refusal(reason, code="not_offered")
