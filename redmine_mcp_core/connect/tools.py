"""Which tools a client may see and call, and which calls may be sent twice."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from redmine_mcp_core.connect.messages import Message, params_of

_REPEATABLE = frozenset(
    """
    initialize server/discover ping tools/list prompts/list prompts/get resources/list
    resources/templates/list resources/read completion/complete logging/setLevel
    """.split()
)
"""Requests that change nothing, or nothing more the second time."""


class Tools:
    """The tools of one server, as far as its lists have named them."""

    def __init__(self, allow: Sequence[str] = (), ignore: Sequence[str] = ()) -> None:
        self._allow = tuple(allow)
        self._ignore = tuple(ignore)
        self._listed: dict[str, dict[str, Any]] = {}

    def allows(self, name: str) -> bool:
        """Whether the patterns let a tool through; ``--ignore-tool`` wins over ``--allow-tool``."""
        if any(fnmatchcase(name, pattern) for pattern in self._ignore):
            return False
        return not self._allow or any(fnmatchcase(name, pattern) for pattern in self._allow)

    def refused_in(self, message: Message) -> str | None:
        """The tool in a call that the patterns do not let through, if there is one.

        FastMCP's servers can hide tools behind a ``call_tool``, which is given the name of another.
        """
        if message.get("method") != "tools/call":
            return None
        call: Any = params_of(message)
        while isinstance(call, dict):
            name = call.get("name")
            if isinstance(name, str) and not self.allows(name):
                return name
            call = call.get("arguments") if name == "call_tool" else None
        return None

    def knows(self, name: str) -> bool:
        return name in self._listed

    def learn(self, result: dict[str, Any]) -> dict[str, Any]:
        """Remember what a ``tools/list`` says, and take out of it what is not allowed."""
        tools = [tool for tool in result.get("tools") or () if isinstance(tool, dict)]
        self._listed |= {str(tool.get("name")): tool for tool in tools}
        return {**result, "tools": [tool for tool in tools if self.allows(str(tool.get("name")))]}

    def may_repeat(self, message: Message) -> bool:
        """Whether sending a request twice does no more than sending it once.

        A call of a tool may be repeated where the server has said that the tool only reads, or is
        idempotent. A tool that no list has named yet counts as one that writes.
        """
        if message.get("method") != "tools/call":
            return message.get("method") in _REPEATABLE
        tool = self._listed.get(str(params_of(message).get("name")), {})
        hints = tool.get("annotations") or {}
        return hints.get("readOnlyHint") is True or hints.get("idempotentHint") is True

    def headers_for(self, message: Message) -> dict[str, str]:
        """The ``Mcp-Param-*`` headers of a call (2026-07-28, custom headers from parameters)."""
        params = params_of(message)
        schema = self._listed.get(str(params.get("name")), {}).get("inputSchema")
        if message.get("method") != "tools/call" or "x-mcp-header" not in str(schema):
            return {}
        # Here and not above: few servers ask for it, and importing the SDK takes a while.
        from mcp.shared.inbound import mcp_param_headers, x_mcp_header_map

        return mcp_param_headers(x_mcp_header_map(schema), params.get("arguments") or {})
