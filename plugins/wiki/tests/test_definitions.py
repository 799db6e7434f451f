"""What clients are told of each tool: held by a snapshot, so that a change is seen in review.

``SNAPSHOTS=write pytest plugins/wiki/tests/test_definitions.py`` writes them anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from redmine_mcp_wiki import plugin

from redmine_mcp_core.testing import hold_to_snapshots, text_of
from redmine_mcp_core.testing.fixtures import SignIn

TOOLS = {tool.name: tool for tool in plugin.tools}


def test_the_tools_are_told_as_their_snapshots_say() -> None:
    """Title, description, annotations, both schemas, scopes, and whether it is listed."""
    hold_to_snapshots(plugin.tools, Path(__file__).parent / "snapshots")


def test_what_writes_says_so() -> None:
    """A server in read-only mode goes by this."""
    reads = {name for name, tool in TOOLS.items() if tool.declaration.reads}

    assert reads == {"list_wiki_pages", "search_wiki", "get_wiki_page"}


def test_no_tool_is_listed() -> None:
    """A conversation that is not about a wiki pays nothing for them."""
    assert not any(tool.declaration.listed for tool in TOOLS.values())


@pytest.mark.parametrize(
    ("wanted", "tool"),
    [
        ("list wiki pages", "list_wiki_pages"),
        ("table of contents of the documentation", "list_wiki_pages"),
        ("search the wiki", "search_wiki"),
        ("find pages about backups", "search_wiki"),
        ("read wiki page", "get_wiki_page"),
        ("older version of a wiki page", "get_wiki_page"),
        ("section of a page by heading", "get_wiki_page"),
        ("create a wiki page", "save_wiki_page"),
        ("edit a section of the wiki", "save_wiki_page"),
        ("rename a wiki page", "save_wiki_page"),
        ("delete a wiki page", "delete_wiki_page"),
    ],
)
async def test_what_is_not_listed_can_be_found(sign_in: SignIn, wanted: str, tool: str) -> None:
    """In a person's words, among the five best."""
    async with sign_in("admin", *plugin.scopes) as client:
        result = await client.call_tool("find_tools", {"query": wanted})
    assert f"### {tool}\n" in text_of(result), text_of(result)
