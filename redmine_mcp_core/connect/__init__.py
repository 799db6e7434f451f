"""``redmine-mcp connect``: a bridge from a client that speaks only stdio to any MCP server on HTTP.

It knows nothing of Redmine and nothing of our server (docs/connect.md).
"""

from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.leaving import sign_out
from redmine_mcp_core.connect.options import Options, read_options
from redmine_mcp_core.connect.running import run_bridge, sign_in_first

__all__ = [
    "ConnectError",
    "Options",
    "read_options",
    "run_bridge",
    "sign_in_first",
    "sign_out",
]
