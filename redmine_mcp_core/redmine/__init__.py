"""Redmine's REST API: client, errors, paging. Knows no MCP, no OAuth server and no plugin."""

from redmine_mcp_core.redmine.breaker import Circuit
from redmine_mcp_core.redmine.client import Redmine
from redmine_mcp_core.redmine.dates import date_filter, day_of
from redmine_mcp_core.redmine.errors import (
    AccountLocked,
    BadArgument,
    Busy,
    Conflict,
    Forbidden,
    Invalid,
    MissingPermission,
    MissingScope,
    NotFound,
    RateLimited,
    RedmineError,
    ServerError,
    TimedOut,
    Unauthorized,
    Unreachable,
    Unreadable,
)
from redmine_mcp_core.redmine.fence import Fence
from redmine_mcp_core.redmine.gateway import Credential, Gateway
from redmine_mcp_core.redmine.hours import hours_of
from redmine_mcp_core.redmine.names import find as find_name
from redmine_mcp_core.redmine.names import number_of
from redmine_mcp_core.redmine.only_projects import OnlyProjects
from redmine_mcp_core.redmine.queries import (
    PRESENCE,
    Filters,
    check_value,
    custom_values,
    names_filter,
    number_filter,
    sort_by,
)
from redmine_mcp_core.redmine.sansio import MAX_PAGE_SIZE, PAGE_SIZE, segment
from redmine_mcp_core.redmine.searching import MOST_SEARCH_WORDS, not_searched, search_words

__all__ = [
    "MAX_PAGE_SIZE",
    "MOST_SEARCH_WORDS",
    "PAGE_SIZE",
    "PRESENCE",
    "AccountLocked",
    "BadArgument",
    "Busy",
    "Circuit",
    "Conflict",
    "Credential",
    "Fence",
    "Filters",
    "Forbidden",
    "Gateway",
    "Invalid",
    "MissingPermission",
    "MissingScope",
    "NotFound",
    "OnlyProjects",
    "RateLimited",
    "Redmine",
    "RedmineError",
    "ServerError",
    "TimedOut",
    "Unauthorized",
    "Unreachable",
    "Unreadable",
    "check_value",
    "custom_values",
    "date_filter",
    "day_of",
    "find_name",
    "hours_of",
    "names_filter",
    "not_searched",
    "number_filter",
    "number_of",
    "search_words",
    "segment",
    "sort_by",
]
