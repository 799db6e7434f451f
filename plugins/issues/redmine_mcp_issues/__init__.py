"""The issues plugin: read and search Redmine issues."""

from redmine_mcp_issues.tools import plugin

__all__ = ["plugin"]
