"""Share sign-ins between replicas through Redis."""

from redmine_mcp_storage_redis.plugin import plugin

__all__ = ["plugin"]
