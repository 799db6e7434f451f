"""How a command speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from rich.console import Console
from rich.markup import escape

from redmine_mcp_core.observability.logs import configure_logging
from redmine_mcp_core.storage import StoreError

out = Console()
err = Console(stderr=True)


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run a command to its exit code. A store that fails is a sentence, and exit code 1."""
    configure_logging(log_format="console", level="error")
    try:
        return asyncio.run(work)
    except StoreError as error:
        return fail(str(error))


def fail(sentence: str) -> int:
    """Say what is wrong; the exit code for it."""
    err.print(f"[bold red]✗[/] {escape(sentence)}", highlight=False, soft_wrap=True)
    return 1
