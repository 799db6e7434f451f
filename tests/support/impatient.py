"""``redmine-mcp serve --workers 2`` whose supervisor has little patience, given as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from rich.console import Console

from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.several import load_each
from redmine_mcp_core.workers import Patience, serve_with_workers

if __name__ == "__main__":  # workers import this file, too
    configure_logging(log_format="console", level="info")
    patience = Patience(**json.loads(sys.argv[1]))
    sys.exit(
        asyncio.run(serve_with_workers(load_each(mcp_workers=2), Console(), patience=patience))
    )
