"""Redmine MCP: work in your Redmine from any MCP client, as yourself.

What stands here is what a plugin author imports; the inner modules may change at any time. Each
name is imported when it is first asked for, so that a command which needs none starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redmine_mcp_core.auth.caller import Caller
    from redmine_mcp_core.demo import DemoAccount, DemoRedmine
    from redmine_mcp_core.events import Event, EventKind, Refusal, ToolCall
    from redmine_mcp_core.observability.health import HealthReport
    from redmine_mcp_core.observability.plugin_metrics import PluginMetrics
    from redmine_mcp_core.redmine import (
        MAX_PAGE_SIZE,
        MOST_SEARCH_WORDS,
        PRESENCE,
        BadArgument,
        Conflict,
        Filters,
        Forbidden,
        Invalid,
        MissingScope,
        NotFound,
        Redmine,
        RedmineError,
        Unreadable,
        check_value,
        custom_values,
        date_filter,
        day_of,
        find_name,
        hours_of,
        names_filter,
        not_searched,
        number_filter,
        number_of,
        search_words,
        segment,
        sort_by,
    )
    from redmine_mcp_core.results import (
        Image,
        Quotation,
        Result,
        cut_text,
        line,
        page_of,
        quoted,
        readable,
        shorten,
        visible,
    )
    from redmine_mcp_core.storage import (
        Change,
        Concern,
        Record,
        RecordStore,
        Row,
        StoreError,
        StoreUnavailable,
        TextStore,
        TokenStore,
        TokenStoreBackend,
    )
    from redmine_mcp_core.tools.arguments import Said
    from redmine_mcp_core.tools.components import API_VERSION, Components, Plugin, hookimpl
    from redmine_mcp_core.tools.confirmation import NotDeleted, StandsOtherwise, confirmed
    from redmine_mcp_core.tools.current import (
        CurrentCaller,
        CurrentLocalFiles,
        CurrentNotebook,
        CurrentProgress,
        CurrentRedmine,
        Progress,
    )
    from redmine_mcp_core.tools.declaration import Effect
    from redmine_mcp_core.tools.idempotency import fingerprint, once
    from redmine_mcp_core.tools.local_files import LocalFiles
    from redmine_mcp_core.tools.notebook import Notebook
    from redmine_mcp_core.tools.replacing import Edit, replaced

_PLACES = {
    "auth.caller": "Caller",
    "demo": "DemoAccount DemoRedmine",
    "events": "Event EventKind Refusal ToolCall",
    "observability.health": "HealthReport",
    "observability.plugin_metrics": "PluginMetrics",
    "redmine": "MAX_PAGE_SIZE MOST_SEARCH_WORDS PRESENCE BadArgument Conflict Filters Forbidden "
    "Invalid MissingScope NotFound Redmine RedmineError Unreadable check_value custom_values "
    "date_filter day_of find_name hours_of names_filter not_searched number_filter number_of "
    "search_words segment sort_by",
    "results": "Image Quotation Result cut_text line page_of quoted readable shorten visible",
    "storage": "Change Concern Record RecordStore Row StoreError StoreUnavailable TextStore "
    "TokenStore TokenStoreBackend",
    "tools.arguments": "Said",
    "tools.components": "API_VERSION Components Plugin hookimpl",
    "tools.confirmation": "NotDeleted StandsOtherwise confirmed",
    "tools.current": "CurrentCaller CurrentLocalFiles CurrentNotebook CurrentProgress "
    "CurrentRedmine Progress",
    "tools.declaration": "Effect",
    "tools.idempotency": "fingerprint once",
    "tools.local_files": "LocalFiles",
    "tools.notebook": "Notebook",
    "tools.replacing": "Edit replaced",
}
"""Which module each name comes from; ``tests/test_exports.py`` holds it to the imports above."""
_PLACE_OF = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "API_VERSION",
    "MAX_PAGE_SIZE",
    "MOST_SEARCH_WORDS",
    "PRESENCE",
    "BadArgument",
    "Caller",
    "Change",
    "Components",
    "Concern",
    "Conflict",
    "CurrentCaller",
    "CurrentLocalFiles",
    "CurrentNotebook",
    "CurrentProgress",
    "CurrentRedmine",
    "DemoAccount",
    "DemoRedmine",
    "Edit",
    "Effect",
    "Event",
    "EventKind",
    "Filters",
    "Forbidden",
    "HealthReport",
    "Image",
    "Invalid",
    "LocalFiles",
    "MissingScope",
    "NotDeleted",
    "NotFound",
    "Notebook",
    "Plugin",
    "PluginMetrics",
    "Progress",
    "Quotation",
    "Record",
    "RecordStore",
    "Redmine",
    "RedmineError",
    "Refusal",
    "Result",
    "Row",
    "Said",
    "StandsOtherwise",
    "StoreError",
    "StoreUnavailable",
    "TextStore",
    "TokenStore",
    "TokenStoreBackend",
    "ToolCall",
    "Unreadable",
    "check_value",
    "confirmed",
    "custom_values",
    "cut_text",
    "date_filter",
    "day_of",
    "find_name",
    "fingerprint",
    "hookimpl",
    "hours_of",
    "line",
    "names_filter",
    "not_searched",
    "number_filter",
    "number_of",
    "once",
    "page_of",
    "quoted",
    "readable",
    "replaced",
    "search_words",
    "segment",
    "shorten",
    "sort_by",
    "visible",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used (PEP 562)."""
    if name not in _PLACE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PLACE_OF[name]}"), name)
    globals()[name] = found
    return found
