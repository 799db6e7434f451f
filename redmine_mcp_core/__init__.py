"""Redmine MCP: work in your Redmine from any MCP client, as yourself.

What stands here is what a plugin author imports; the inner modules may change at any time.
"""

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.components import API_VERSION, Components, Plugin, hookimpl
from redmine_mcp_core.confirmation import confirmed
from redmine_mcp_core.current import (
    CurrentCaller,
    CurrentNotebook,
    CurrentProgress,
    CurrentRedmine,
    Progress,
)
from redmine_mcp_core.declaration import Effect
from redmine_mcp_core.demo import DemoAccount, DemoRedmine
from redmine_mcp_core.events import Event, EventKind, Refusal, ToolCall
from redmine_mcp_core.notebook import Notebook
from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.redmine import (
    MAX_PAGE_SIZE,
    BadArgument,
    Forbidden,
    Invalid,
    NotFound,
    Redmine,
    RedmineError,
    find_name,
    segment,
)
from redmine_mcp_core.results import Image, Quotation, Result, line, shorten, visible
from redmine_mcp_core.storage import (
    Record,
    RecordStore,
    StoreError,
    StoreUnavailable,
    TokenStore,
    TokenStoreBackend,
)

__all__ = [
    "API_VERSION",
    "MAX_PAGE_SIZE",
    "BadArgument",
    "Caller",
    "Components",
    "CurrentCaller",
    "CurrentNotebook",
    "CurrentProgress",
    "CurrentRedmine",
    "DemoAccount",
    "DemoRedmine",
    "Effect",
    "Event",
    "EventKind",
    "Forbidden",
    "HealthReport",
    "Image",
    "Invalid",
    "NotFound",
    "Notebook",
    "Plugin",
    "Progress",
    "Quotation",
    "Record",
    "RecordStore",
    "Redmine",
    "RedmineError",
    "Refusal",
    "Result",
    "StoreError",
    "StoreUnavailable",
    "TokenStore",
    "TokenStoreBackend",
    "ToolCall",
    "confirmed",
    "find_name",
    "hookimpl",
    "line",
    "segment",
    "shorten",
    "visible",
]
