"""Arguments that a tool or a prompt does not take are told in a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from redmine_mcp_core import EventKind
from redmine_mcp_core.testing import text_of
from tests.mcp.worlds import World


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "path: Missing required argument"),
        ({"path": ""}, "path: String should have at least 1 character"),
        ({"path": "/x", "times": 0}, "times: Input should be greater than or equal to 1"),
        ({"path": "/x", "times": "often"}, "times: Input should be a valid integer"),
        ({"path": "/x", "tmies": 2}, "tmies: Unexpected keyword argument"),
        ({"path": "/x", "redmine": "mine"}, "redmine: Unexpected keyword argument"),
        ({"path": ["/x"]}, "path: Input should be a valid string"),
    ],
    ids=["missing", "too short", "too small", "no number", "misspelt", "a dependency", "a list"],
)
async def test_bad_arguments_are_one_sentence(
    world: World, arguments: dict[str, Any], problem: str
) -> None:
    """Each wrong argument is named, what it holds is not repeated, and nothing is called."""
    result = await world.call("read", **arguments)

    assert result.is_error
    assert text_of(result).startswith(f"read was not called: {problem}")
    assert text_of(result).endswith(". [bad_arguments]")
    assert "\n" not in text_of(result)
    assert "http" not in text_of(result)
    assert world.watcher.told == [(EventKind.TOOL_FAILED, "read", "bad_arguments")]
    assert world.sandbox.requests == []


async def test_two_bad_arguments_are_told_at_once(world: World) -> None:
    """A model that got two wrong repairs both."""
    result = await world.call("read", path="", times=0)

    assert "path: " in text_of(result)
    assert "times: " in text_of(result)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "Missing required arguments: {'number'}."),
        ({"number": "0"}, "Input should be greater than or equal to 1."),
        ({"number": "many"}, "path_prompt was not rendered: "),
    ],
    ids=["missing", "too small", "no number"],
)
async def test_bad_arguments_of_a_prompt_are_one_sentence(
    world: World, arguments: dict[str, str], sentence: str
) -> None:
    """A person picks prompts by hand; what is wrong is told without a traceback or a link."""
    async with world.client() as client:
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("path_prompt", arguments)

    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


async def test_dependencies_are_no_arguments(world: World) -> None:
    """Redmine and the caller are not in a tool's schema: no model can give them."""
    async with world.client() as client:
        schemas = {tool.name: tool.input_schema for tool in await client.list_tools()}

    assert set(schemas["read"]["properties"]) == {"path", "times"}
    assert not schemas["whoami"].get("properties")
