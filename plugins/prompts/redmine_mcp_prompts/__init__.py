"""The prompts plugin: prompts for a working day in Redmine."""

from redmine_mcp_prompts.prompts import plugin

__all__ = ["plugin"]
