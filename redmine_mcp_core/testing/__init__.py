"""For tests of plugins: what a plugin author checks a plugin with."""

from redmine_mcp_core.testing.client import client_for, text_of

__all__ = ["client_for", "text_of"]
