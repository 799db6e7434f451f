"""What ``doctor`` and ``init`` look at: each check is a small function that gives findings."""

from redmine_mcp_core.checks.finding import Finding, State, fail, ok, warn

__all__ = ["Finding", "State", "fail", "ok", "warn"]
