"""The prompts plugin: prompts for a working day in Redmine."""

# These declare their prompts on the plugin.
from redmine_mcp_prompts import days, drafting, periods, tickets, triage  # noqa: F401
from redmine_mcp_prompts.plugin import plugin

__all__ = ["plugin"]
