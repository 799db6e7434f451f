"""What clients are told of each tool: held by a snapshot, so that a change is seen in review.

``SNAPSHOTS=write pytest plugins/time/tests/test_definitions.py`` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from redmine_mcp_time import plugin

from redmine_mcp_core.testing import hold_to_snapshots, text_of
from redmine_mcp_core.testing.fixtures import SignIn

TOOLS = {tool.name: tool for tool in plugin.tools}


def test_the_tools_are_told_as_their_snapshots_say() -> None:
    """Title, description, annotations, both schemas, scopes, and whether it is listed."""
    hold_to_snapshots(plugin.tools, Path(__file__).parent / "snapshots")


def test_no_tool_is_listed() -> None:
    """A conversation that is not about hours pays nothing for them."""
    assert not any(tool.declaration.listed for tool in TOOLS.values())


@pytest.mark.parametrize(
    ("wanted", "tool"),
    [
        ("hours spent this week", "list_time_entries"),
        ("timesheet", "list_time_entries"),
        ("who worked how much on a version", "list_time_entries"),
        ("sum of logged time by user", "list_time_entries"),
        ("log time on an issue", "log_time"),
        ("book two hours", "log_time"),
        ("new time entry", "log_time"),
        ("correct a time entry", "update_time_entry"),
        ("move a time entry to another issue", "update_time_entry"),
        ("remove a time entry", "delete_time_entry"),
    ],
)
async def test_what_is_not_listed_can_be_found(sign_in: SignIn, wanted: str, tool: str) -> None:
    """In a person's words, among the five best."""
    async with sign_in("admin", *plugin.scopes) as client:
        result = await client.call_tool("find_tools", {"query": wanted})
    assert f"### {tool}\n" in text_of(result), text_of(result)
