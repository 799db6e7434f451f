"""Several processes that serve one port, and the one that looks after them."""

from redmine_mcp_core.workers.heartbeat import Patience
from redmine_mcp_core.workers.supervisor import serve_with_workers

__all__ = ["Patience", "serve_with_workers"]
