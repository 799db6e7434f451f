"""Keep sign-ins in one SQLite file."""

from redmine_mcp_storage_sqlite.plugin import plugin

__all__ = ["plugin"]
