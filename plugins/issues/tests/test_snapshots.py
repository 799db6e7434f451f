"""What a model and a client are told of each tool, word for word.

A change of a tool's definition changes what models do, so it has to be meant:
``UPDATE_SNAPSHOTS=1 pytest plugins/issues/tests/test_snapshots.py`` writes the new one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from redmine_mcp_issues import plugin

from redmine_mcp_core.testing import client_for

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS"


def written(definition: dict[str, Any]) -> str:
    return json.dumps(definition, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


@pytest.mark.parametrize("name", [tool.name for tool in plugin.tools])
def test_a_tool_is_defined_as_it_was(name: str) -> None:
    """Name, title, description, annotations and both schemas; icons are the host's."""
    (tool,) = [tool for tool in plugin.tools if tool.name == name]
    definition = tool.to_mcp_tool().model_dump(mode="json", by_alias=True, exclude_none=True)
    now = written({part: value for part, value in definition.items() if part != "icons"})
    snapshot = SNAPSHOTS / f"{name}.json"
    if os.environ.get(UPDATE):
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot.write_text(now, encoding="utf-8")

    assert snapshot.exists(), f"there is no snapshot of {name}: run this with {UPDATE}=1"
    assert now == snapshot.read_text(encoding="utf-8"), f"if it is meant, run this with {UPDATE}=1"


def test_no_snapshot_is_left_over() -> None:
    """A tool that is gone leaves nothing behind."""
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == {tool.name for tool in plugin.tools}


READING = ("get_issue_details", "list_issues", "search_issues")


async def test_the_tools_that_read_cost_little() -> None:
    """Each conversation reads the names, descriptions and input schemas of listed tools."""
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    async with client_for(plugin, redmine=transport, token="token") as client:
        tools = [tool for tool in await client.list_tools() if tool.name in READING]

    seen = [
        {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
        for tool in tools
    ]
    size = len(json.dumps(seen, ensure_ascii=False, separators=(",", ":")).encode())
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
