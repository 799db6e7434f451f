"""All plugins' components in one provider, found by name."""

from __future__ import annotations

import pytest
from fastmcp.utilities.versions import VersionSpec

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.mcp.index import ComponentIndex


class Answer(Result):
    value: int

    def text(self) -> str:
        return str(self.value)


@pytest.fixture
def index() -> ComponentIndex:
    plugin = Plugin()

    @plugin.tool(
        title="Double", scopes={"view_issues"}, optional_scopes={"view_news"}, read_only=True
    )
    async def double(value: int) -> Answer:
        """Double a number."""
        return Answer(value=2 * value)

    @plugin.tool(title="Delete", scopes={"delete_issues", "view_issues"}, destroys=True)
    async def delete() -> Answer:
        """Delete."""
        return Answer(value=0)

    @plugin.resource("redmine://me", name="me", title="Me")
    async def me() -> str:
        """Me."""
        return "{}"

    @plugin.resource("redmine://issues/{issue_id}", name="issue", title="An issue")
    async def issue(issue_id: int) -> str:
        """An issue."""
        return str(issue_id)

    @plugin.prompt(title="Ask")
    async def ask() -> str:
        """Ask."""
        return "?"

    return ComponentIndex(plugin)


async def test_everything_is_listed(index: ComponentIndex) -> None:
    """In the order in which it was declared."""
    assert [tool.name for tool in await index.list_tools()] == ["double", "delete"]
    assert [str(resource.uri) for resource in await index.list_resources()] == ["redmine://me"]
    assert [template.uri_template for template in await index.list_resource_templates()] == [
        "redmine://issues/{issue_id}"
    ]
    assert [prompt.name for prompt in await index.list_prompts()] == ["ask"]


async def test_everything_is_found_by_name(index: ComponentIndex) -> None:
    """And what there is not is not found."""
    tool = await index.get_tool("double")
    resource = await index.get_resource("redmine://me")
    template = await index.get_resource_template("redmine://issues/7")
    prompt = await index.get_prompt("ask")

    assert tool is not None
    assert tool.name == "double"
    assert resource is not None
    assert resource.name == "me"
    assert template is not None
    assert template.name == "issue"
    assert prompt is not None
    assert prompt.name == "ask"
    assert await index.get_tool("triple") is None
    assert await index.get_resource("redmine://you") is None
    assert await index.get_resource_template("redmine://projects/7") is None
    assert await index.get_prompt("tell") is None


async def test_a_wish_for_a_version_is_looked_at(index: ComponentIndex) -> None:
    """What has no version fits every wish, and what has another one does not."""
    index.tools["delete"] = index.tools["delete"].model_copy(update={"version": "1.0"})

    assert await index.get_tool("double", VersionSpec(eq="2.0")) is not None
    assert await index.get_tool("delete", VersionSpec(eq="1.0")) is not None
    assert await index.get_tool("delete", VersionSpec(eq="2.0")) is None


def test_the_scopes_are_those_of_all_tools(index: ComponentIndex) -> None:
    """The optional ones too, each once, sorted."""
    assert index.scopes == ["delete_issues", "view_issues", "view_news"]


def test_no_tools_need_no_scopes() -> None:
    """A server of resources alone asks for nothing."""
    assert ComponentIndex(Plugin()).scopes == []
