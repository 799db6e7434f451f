"""The token store of the settings, opened for a command, and how far a walk through it has come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from redmine_mcp_core.commands.console import err
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import discover_plugins
from redmine_mcp_core.storage import RecordStore, Tally, open_store


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[RecordStore]:
    async with open_store(url, discover_plugins(Metrics()).token_stores) as backend:
        yield backend


async def show(what: str, tallies: AsyncIterator[Tally]) -> Tally:
    """Draw how far it is. How many records there are, a store cannot tell cheaply."""
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.completed:.0f} records"))
    tally = Tally()
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress:
        task = progress.add_task(what, total=None)
        async for tally in tallies:
            progress.update(task, completed=tally.seen)
    return tally
