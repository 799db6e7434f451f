"""What a conversation pays for, with all plugins: tools, listed and found, and instructions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from typing import Any, Literal

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport
from mcp_types import Icon
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core import Effect
from redmine_mcp_core.mcp.hello import INSTRUCTIONS
from redmine_mcp_core.testing import client_for, seen_by_model

MOST_TOOLS = 25
SEEN_BYTES = 10_000
INSTRUCTION_BYTES = 1_000
ICON_BYTES = 300
FOUND_BYTES = 1_500

PLUGINS = [entry.load() for entry in entry_points(group="redmine_mcp")]
TOOLS = {tool.name: tool for plugin in PLUGINS for tool in getattr(plugin, "tools", ())}


@asynccontextmanager
async def connected(
    mode: Literal["auto", "legacy"] = "auto",
) -> AsyncIterator[Client[FastMCPTransport]]:
    """A client of a server with every installed plugin, granted all that they ask for."""
    sandbox = Sandbox("http://redmine.test")
    token = sandbox.grant("alice", ["view_project"]).access_token
    transport = httpx.ASGITransport(sandbox.app)
    async with client_for(*PLUGINS, redmine=transport, token=token, mode=mode) as client:
        yield client


async def test_the_listed_tools_keep_to_their_budget() -> None:
    """At most 25 tools, whose names, descriptions and input schemas take at most 10,000 bytes."""
    async with connected() as client:
        tools = await client.list_tools()

    sizes = {tool.name: len(seen_by_model(tool).encode()) for tool in tools}
    rows = [f"{size:6} {name}" for name, size in sorted(sizes.items(), key=lambda one: -one[1])]
    table = "\n".join([f"{sum(sizes.values())} bytes in {len(sizes)} tools:", *rows])
    print(table)
    assert len(sizes) <= MOST_TOOLS, table
    assert sum(sizes.values()) <= SEEN_BYTES, table


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_that_is_found_costs_little(name: str) -> None:
    """Name, description and input schema, in bytes."""
    size = len(seen_by_model(TOOLS[name].to_mcp_tool()).encode())

    assert size <= FOUND_BYTES, f"{size} bytes"


@pytest.mark.parametrize("name", TOOLS)
def test_what_destroys_can_be_confirmed(name: str) -> None:
    """A destroying tool takes ``confirm``, which is no by default, and no other tool does."""
    confirm = TOOLS[name].parameters["properties"].get("confirm")

    assert (confirm is not None) == (TOOLS[name].declaration.effect is Effect.DESTROYS)
    assert confirm is None or not confirm.get("default")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_instructions_reach_the_model_and_are_short(
    mode: Literal["auto", "legacy"],
) -> None:
    """In under 1,000 bytes, in either protocol era."""
    async with connected(mode) as client:
        told = client.instructions

    assert told == INSTRUCTIONS
    size = len(INSTRUCTIONS.encode())
    assert size < INSTRUCTION_BYTES, f"{size} bytes"


async def test_the_instructions_speak_of_what_there_is() -> None:
    """The tools and parameters that they name exist."""
    async with connected() as client:
        tools = {tool.name for tool in await client.list_tools()}
    parameters = {name for tool in TOOLS.values() for name in tool.parameters["properties"]}

    for tool in ("find_tools", "call_tool"):
        assert tool in INSTRUCTIONS
        assert tool in tools
    for parameter in ("dry_run", "confirm"):
        assert f"{parameter}=true" in INSTRUCTIONS
        assert parameter in parameters


async def test_everything_has_a_title_and_a_small_icon_of_its_own() -> None:
    """Tools, resources, templates and prompts; nothing has to be fetched to show the icon."""
    async with connected() as client:
        found: list[Any] = [
            *await client.list_tools(),
            *await client.list_resources(),
            *await client.list_resource_templates(),
            *await client.list_prompts(),
        ]

    assert {"find_tools", "summarize_ticket", "trackers", "project"} <= {one.name for one in found}
    for one in found:
        assert one.title, one.name
        (icon,) = one.icons
        assert isinstance(icon, Icon)
        assert icon.src.startswith("data:image/svg+xml;base64,"), one.name
        size = len(icon.model_dump_json(by_alias=True, exclude_none=True).encode())
        assert size <= ICON_BYTES, f"{one.name}: {size} bytes"


async def test_the_icon_of_a_tool_tells_what_it_does() -> None:
    """Tools that read look alike, and unlike those that write or destroy."""
    drawn: dict[tuple[bool | None, bool | None], set[str]] = {}
    for tool in TOOLS.values():
        hints = tool.annotations
        (icon,) = tool.icons
        kind = (hints.read_only_hint, hints.destructive_hint)
        drawn.setdefault(kind, set()).add(icon.src)

    assert len(drawn) == 3
    assert len(set().union(*drawn.values())) == 3
    assert all(len(icons) == 1 for icons in drawn.values())
