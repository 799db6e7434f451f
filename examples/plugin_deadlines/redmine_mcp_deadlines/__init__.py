"""Deadlines in Redmine: what is due, and putting it off with a reason."""

# These declare their tools on the plugin.
from redmine_mcp_deadlines import reading, writing  # noqa: F401
from redmine_mcp_deadlines.plugin import plugin

__all__ = ["plugin"]
