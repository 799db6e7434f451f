"""What a model and a client are told of each tool, word for word.

A change of a tool's definition changes what models do, so it has to be meant:
``SNAPSHOTS=write pytest plugins/issues/tests/test_definitions.py`` writes the new one.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from redmine_mcp_issues import plugin

from redmine_mcp_core.testing import client_for, hold_to_snapshots, seen_by_model


def test_the_tools_are_told_as_their_snapshots_say() -> None:
    """Title, description, annotations, both schemas, scopes, and whether it is listed."""
    hold_to_snapshots(plugin.tools, Path(__file__).parent / "snapshots")


READING = ("get_issue_details", "list_issues", "search_issues")


async def test_the_tools_that_read_cost_little() -> None:
    """Each conversation reads the names, descriptions and input schemas of listed tools."""
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    async with client_for(plugin, redmine=transport, token="token") as client:
        tools = [tool for tool in await client.list_tools() if tool.name in READING]

    size = sum(len(seen_by_model(tool).encode()) for tool in tools)
    assert len(tools) == len(READING)
    assert size <= 2650, f"a model reads {size} bytes of them"


@pytest.mark.parametrize("name", READING)
def test_a_tool_that_reads_says_so(name: str) -> None:
    """By title, annotations and output schema; whether it is safe is not guessed."""
    (tool,) = [tool.to_mcp_tool() for tool in plugin.tools if tool.name == name]

    assert tool.title
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint is True
    assert tool.annotations.open_world_hint is False
    assert tool.output_schema is not None
    assert tool.output_schema["type"] == "object"
