"""The token store of the settings, opened for a command, and how far a walk through it has come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from redmine_mcp_core.commands.console import err
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.storage import RecordStore, Tally, open_store


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[RecordStore]:
    async with open_store(url, discover_plugins(Metrics()).token_stores) as backend:
        yield backend


async def show(what: str, store: RecordStore, tallies: AsyncIterator[Tally]) -> Tally:
    """Draw how far a walk through a store has come, and return where it ended."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    tally = Tally()
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(what, total=await store.count())
        async for tally in tallies:
            progress.update(task, completed=tally.seen)
    return tally
