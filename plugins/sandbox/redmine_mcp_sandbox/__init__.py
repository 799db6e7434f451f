"""A Redmine 6.1 in memory, to try things and to test against."""

from __future__ import annotations

from redmine_mcp_sandbox.plugin import plugin
from redmine_mcp_sandbox.sandbox import Sandbox, SeenRequest, Tokens

__all__ = ["Sandbox", "SeenRequest", "Tokens", "plugin"]
