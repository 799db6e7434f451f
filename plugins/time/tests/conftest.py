"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redmine_mcp_sandbox import Sandbox
from redmine_mcp_sandbox.seed import CustomField
from redmine_mcp_time import plugin as time

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing import text_of, unmarked
from redmine_mcp_core.testing.fixtures import redmine, sandbox, sign_in

__all__ = ["redmine", "sandbox", "sign_in"]

Told = Callable[..., Awaitable[str]]


@pytest.fixture
def plugin() -> Plugin:
    """What these tests are about."""
    return time


@pytest.fixture
def told() -> Told:
    """What a model reads of an answer, be it an error, without the marks."""

    async def call(client: Any, tool: str, **arguments: Any) -> str:
        return unmarked(text_of(await client.call_tool(tool, arguments, raise_on_error=False)))

    return call


@pytest.fixture
def many(sandbox: Sandbox) -> Callable[[int], None]:
    """Fill the sandbox with so many entries more: alice's, one on each day before 2026."""

    def fill(count: int) -> None:
        entries = sandbox._world.time_entries
        for number in range(count):
            day = f"{2025 - number // 336}-{12 - number // 28 % 12:02}-{28 - number % 28:02}"
            comment = f"review of chapter {number}"
            entries.add(replace(entries[1], spent_on=day, hours=1 / 3, comments=comment))

    return fill


@pytest.fixture
def with_fields(sandbox: Sandbox) -> None:
    """Time entries have a box, a text that is no filter, and a list of several values."""
    fields = sandbox._world.time_entry_fields
    for name, kind, multiple, is_filter in (
        ("Billable", "bool", False, True),
        ("Client", "string", False, False),
        ("Kind", "list", True, True),
    ):
        values = ("Remote", "On site") if multiple else ()
        fields.add(CustomField(0, name, kind, multiple, values, False, is_filter))
