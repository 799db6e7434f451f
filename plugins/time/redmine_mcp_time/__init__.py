"""The time plugin: what people do with time entries in a day."""

# These declare their components on the plugin.
from redmine_mcp_time import changing, deleting, listing, logging  # noqa: F401
from redmine_mcp_time.plugin import plugin

__all__ = ["plugin"]
