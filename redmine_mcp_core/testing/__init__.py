"""For tests of plugins: what a plugin author checks a plugin with."""

from redmine_mcp_core.storage import MemoryStore
from redmine_mcp_core.testing.client import client_for, seen_by_model, text_of, unmarked
from redmine_mcp_core.testing.definitions import (
    definition_of,
    hold_to_snapshot,
    hold_to_snapshots,
)

__all__ = [
    "MemoryStore",
    "client_for",
    "definition_of",
    "hold_to_snapshot",
    "hold_to_snapshots",
    "seen_by_model",
    "text_of",
    "unmarked",
]
