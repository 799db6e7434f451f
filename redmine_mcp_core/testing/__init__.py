"""For tests of plugins: what a plugin author checks a plugin with."""

from redmine_mcp_core.storage import MemoryStore
from redmine_mcp_core.testing.client import client_for, seen_by_model, text_of, unmarked

__all__ = ["MemoryStore", "client_for", "seen_by_model", "text_of", "unmarked"]
