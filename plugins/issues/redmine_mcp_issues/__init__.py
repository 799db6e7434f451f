"""The issues plugin: what people do with Redmine issues."""

from redmine_mcp_issues import (  # noqa: F401 - they declare tools
    attachments,
    bulk,
    comments,
    copying,
    deleting,
    listed,
    own_files,
    reading,
    resources,
    writing,
)
from redmine_mcp_issues.plugin import plugin

__all__ = ["plugin"]
