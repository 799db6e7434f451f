"""A call that fails: a sentence for the person, a code for programs, and nothing from inside."""

from __future__ import annotations

import logging

import pytest
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError

from redmine_mcp_core import EventKind
from redmine_mcp_core.testing import text_of
from tests.mcp.worlds import SECRET, World
from tests.support.logs import Stream


@pytest.mark.parametrize(
    ("path", "code"),
    [("/issues/999.json", "not_found"), ("/issues/43.json", "forbidden"), ("/x", "not_found")],
)
async def test_an_error_of_redmine_is_a_tool_error(world: World, path: str, code: str) -> None:
    """One sentence for the person and a code for programs, as an error and not as an answer."""
    world.token = world.sandbox.grant("carol", ["view_issues"]).access_token

    result = await world.call("read", path=path)

    assert result.is_error
    assert text_of(result).endswith(f". [{code}]")
    assert "\n" not in text_of(result)
    assert world.watcher.told == [(EventKind.TOOL_FAILED, "read", code)]


async def test_an_error_result_raises_in_a_client_that_wants_it(world: World) -> None:
    """The error is a real MCP tool error (isError), as clients know it."""
    async with world.client() as client:
        with pytest.raises(ToolError, match="not_found"):
            await client.call_tool("read", {"path": "/issues/999.json"})


async def test_an_outage_is_told_as_one(world: World) -> None:
    """The person learns that trying again will help."""
    world.sandbox.outage = True

    result = await world.call("read", path="/my/account.json")

    assert text_of(result) == "Redmine failed (HTTP 503). Try again in a minute. [server_error]"
    assert world.watcher.told == [(EventKind.TOOL_FAILED, "read", "server_error")]


async def test_a_tools_own_refusal_names_the_valid_values(world: World) -> None:
    """What the tool says is what the model reads."""
    result = await world.call("picky")

    assert text_of(result) == "There is no status “Nwe”. There are: New, Closed. [bad_argument]"
    assert world.watcher.told == [(EventKind.TOOL_FAILED, "picky", "bad_argument")]


async def test_an_internal_error_is_masked(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """What went wrong inside stays inside: it may hold anything."""
    with caplog.at_level(logging.CRITICAL):
        result = await world.call("broken")

    assert result.is_error
    assert SECRET not in text_of(result)
    assert "Tell its operator, with the reference " in text_of(result)
    (event,) = world.watcher.events
    assert str(event.request_id) in text_of(result)
    assert world.watcher.told == [(EventKind.TOOL_FAILED, "broken", "internal")]


async def test_an_internal_error_is_masked_in_resources_and_prompts(world: World) -> None:
    """Not only tools fail."""
    async with world.client() as client:
        with pytest.raises(MCPError) as resource:
            await client.read_resource("redmine://broken")
        with pytest.raises(MCPError) as prompt:
            await client.get_prompt("broken_prompt")

    for error in (resource.value, prompt.value):
        assert SECRET not in str(error)
        assert "Tell its operator, with the reference " in str(error)


async def test_resources_and_prompts_speak_in_sentences(world: World) -> None:
    """An error of Redmine is the sentence a tool would say."""
    async with world.client() as client:
        with pytest.raises(MCPError) as resource:
            await client.read_resource("redmine://path/nothing")
        with pytest.raises(MCPError) as prompt:
            await client.get_prompt("path_prompt", {"number": "999"})

    assert str(resource.value) == "That does not exist, or you may not see it."
    assert str(prompt.value) == "That does not exist, or you may not see it."


async def test_what_somebody_got_wrong_is_no_news(world: World, stream: Stream) -> None:
    """Wrong arguments, and what Redmine says no to, are told to the person and not to the log."""
    stream.configure("json")
    async with world.client() as client:
        for tool, arguments in (("picky", {}), ("read", {"path": ""}), ("nothing", {})):
            await client.call_tool(tool, arguments, raise_on_error=False)
        for uri in ("redmine://path/nothing", "redmine://nothing"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)
        for prompt, given in (
            ("path_prompt", {"number": "999"}),
            ("path_prompt", {"number": "none"}),
            ("path_prompt", {}),
            ("nothing", {}),
        ):
            with pytest.raises(MCPError):
                await client.get_prompt(prompt, given)

    assert stream.lines == []


async def test_a_failure_inside_is_logged_once(world: World, stream: Stream) -> None:
    """With the places it came through, under the reference that the person was told."""
    stream.configure("json")
    async with world.client() as client:
        told = [text_of(await client.call_tool("broken", {}, raise_on_error=False))]
        with pytest.raises(MCPError) as resource:
            await client.read_resource("redmine://broken")
        with pytest.raises(MCPError) as prompt:
            await client.get_prompt("broken_prompt")
    told += [str(resource.value), str(prompt.value)]

    assert len(stream.lines) == 3
    for line, sentence in zip(stream.lines, told, strict=True):
        assert line["level"] == "error"
        assert "RuntimeError" in line["exception"]
        assert line["request_id"] in sentence
