"""The projects plugin: what a Redmine holds beside its issues."""

# These declare their components on the plugin.
from redmine_mcp_projects import (  # noqa: F401
    categories,
    completing,
    managing,
    members,
    reading,
    reference,
    resources,
    summary,
    versions,
)
from redmine_mcp_projects.plugin import plugin

__all__ = ["plugin"]
