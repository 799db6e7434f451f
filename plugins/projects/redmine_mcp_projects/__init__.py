"""The projects plugin: what a Redmine holds beside its issues."""

from redmine_mcp_projects.resources import plugin

__all__ = ["plugin"]
