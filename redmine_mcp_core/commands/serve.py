"""``redmine-mcp serve`` and ``redmine-mcp demo``."""

from __future__ import annotations

import asyncio

from redmine_mcp_core import serving
from redmine_mcp_core.commands.console import out
from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.settings import default_store_url, load_settings


def serve() -> int:
    """Serve the Redmine that the environment, or a .env file here, names."""
    settings = load_settings()
    configure_logging(log_format=settings.mcp_log_format, level=settings.mcp_log_level)
    asyncio.run(serving.serve(settings, out))
    return 0


def demo() -> int:
    """Serve a small Redmine that lives in memory, to try things without one of your own."""
    configure_logging(log_format="console", level="warning")
    asyncio.run(serving.serve_demo(out, store_url=default_store_url("demo")))
    return 0
