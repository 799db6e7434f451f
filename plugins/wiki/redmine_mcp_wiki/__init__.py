"""The wiki plugin: a project's wiki, read and written."""

# These declare their components on the plugin.
from redmine_mcp_wiki import (  # noqa: F401
    deleting,
    listing,
    reading,
    resources,
    saving,
    searching,
)
from redmine_mcp_wiki.plugin import plugin

__all__ = ["plugin"]
