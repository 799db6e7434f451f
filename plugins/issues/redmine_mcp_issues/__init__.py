"""The issues plugin: what people do with Redmine issues."""

from redmine_mcp_issues import reading  # noqa: F401 - it declares its tools on the plugin
from redmine_mcp_issues.plugin import plugin

__all__ = ["plugin"]
