"""What clients are told of each tool: held by a snapshot, so that a change is seen in review.

``SNAPSHOTS=write pytest plugins/projects/tests/test_definitions.py`` writes them anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redmine_mcp_projects import plugin

from redmine_mcp_core.testing import hold_to_snapshots, seen_by_model, text_of

TOOLS = {tool.name: tool for tool in plugin.tools}
LISTED_BYTES = 1_500


def test_the_tools_are_told_as_their_snapshots_say() -> None:
    """Title, description, annotations, both schemas, scopes, and whether it is listed."""
    hold_to_snapshots(plugin.tools, Path(__file__).parent / "snapshots")


def test_the_listed_tools_cost_little() -> None:
    """Names, descriptions and input schemas together: each conversation begins with them."""
    listed = [tool.to_mcp_tool() for tool in TOOLS.values() if tool.declaration.listed]
    size = sum(len(seen_by_model(tool).encode()) for tool in listed)

    assert {tool.name for tool in listed} == {"list_projects", "get_project", "project_summary"}
    assert size <= LISTED_BYTES, f"{size} bytes"


@pytest.mark.parametrize(
    ("wanted", "tool"),
    [
        ("create a subproject", "create_project"),
        ("rename a project", "update_project"),
        ("archive project", "archive_project"),
        ("close a milestone", "update_version"),
        ("new release version", "create_version"),
        ("add somebody to the project with a role", "add_member"),
        ("remove user from project", "remove_member"),
        ("issue categories", "list_categories"),
        ("which trackers and statuses are there", "list_reference_data"),
        ("saved queries filters", "list_queries"),
    ],
)
async def test_what_is_not_listed_can_be_found(sign_in: Any, wanted: str, tool: str) -> None:
    """In a person's words, among the five best."""
    async with sign_in("admin", *plugin.scopes) as client:
        result = await client.call_tool("find_tools", {"query": wanted})
    assert f"### {tool}\n" in text_of(result), text_of(result)
