"""``redmine-mcp serve`` and ``redmine-mcp demo``."""

from __future__ import annotations

import asyncio

from redmine_mcp_core import serving
from redmine_mcp_core.commands.console import out
from redmine_mcp_core.observability.logs import configure_logging, log_crashes
from redmine_mcp_core.settings import default_store_url
from redmine_mcp_core.several import in_common, load_each


def serve(*, workers: int | None = None) -> int:
    """Serve the Redmine that the environment, or a .env file here, names; or several.

    Parameters
    ----------
    workers
        Processes that serve the port together; instead of MCP_WORKERS.
    """
    each = load_each(**({} if workers is None else {"mcp_workers": workers}))
    settings = in_common(each)
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    log_crashes()
    if settings.mcp_workers > 1:
        # Here and not above: one process needs nothing of it, and some systems have it not.
        from redmine_mcp_core.workers import serve_with_workers

        return asyncio.run(serve_with_workers(each, out))
    return asyncio.run(serving.serve(each, out))


def demo() -> int:
    """Serve a small Redmine that lives in memory, to try things without one of your own."""
    configure_logging(log_format="console", level="warning")
    log_crashes()
    return asyncio.run(serving.serve_demo(out, store_url=default_store_url("demo")))
