"""One request on its way to a tool, as an MCP client sees it and as those who watch are told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.client import CallToolResult
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from pydantic import Field
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core import (
    BadArgument,
    Caller,
    CurrentCaller,
    CurrentRedmine,
    Event,
    EventKind,
    Plugin,
    Redmine,
    Refusal,
    Result,
    ToolCall,
    hookimpl,
)
from redmine_mcp_core.testing import client_for, text_of
from redmine_mcp_core.tools.current import current_identity

SECRET = "s3cret-canary"


class Answer(Result):
    value: str

    def text(self) -> str:
        return f"The answer is {self.value}."


plugin = Plugin()


@plugin.tool(title="Read a path", scopes={"view_issues"}, read_only=True)
async def read(
    path: Annotated[str, Field(min_length=1)],
    times: Annotated[int, Field(ge=1)] = 1,
    redmine: Redmine = CurrentRedmine(),
) -> Answer:
    """Read a path of Redmine."""
    for _ in range(times):
        answer = await redmine.get(path)
    return Answer(value=", ".join(answer))


@plugin.tool(title="Who am I", scopes={"view_issues"}, read_only=True)
async def whoami(caller: Caller = CurrentCaller()) -> Answer:
    """Tell who calls."""
    return Answer(value=caller.login)


@plugin.tool(title="Delete everything", scopes={"delete_issues"}, destroys=True)
async def wipe() -> Answer:
    """Delete everything."""
    raise AssertionError("must not run")


@plugin.tool(title="Break", scopes={"view_issues"})
async def broken() -> Answer:
    """Fail in a way nobody thought of."""
    raise RuntimeError(SECRET)


@plugin.tool(title="Refuse a value", scopes={"view_issues"})
async def picky() -> Answer:
    """Refuse."""
    raise BadArgument("There is no status “Nwe”. There are: New, Closed.")


@plugin.resource("redmine://broken", name="broken", title="Broken")
async def broken_resource() -> str:
    """Fail."""
    raise RuntimeError(SECRET)


@plugin.resource("redmine://path/{name}", name="path", title="A path")
async def path_resource(name: str, redmine: Redmine = CurrentRedmine()) -> str:
    """Read a path."""
    return str(await redmine.get(f"/{name}.json"))


@plugin.prompt(title="Broken")
async def broken_prompt() -> str:
    """Fail."""
    raise RuntimeError(SECRET)


@plugin.prompt(title="A path")
async def path_prompt(
    number: Annotated[int, Field(ge=1)], redmine: Redmine = CurrentRedmine()
) -> str:
    """Read an issue."""
    return str(await redmine.get(f"/issues/{number}.json"))


class Watcher:
    """Keeps what it hears; refuses what it is told to."""

    api_version = 1

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.calls: list[ToolCall] = []
        self.refusal: Exception | None = None

    @hookimpl
    def on_event(self, event: Event) -> None:
        self.events.append(event)

    @hookimpl
    def before_tool_call(self, call: ToolCall) -> None:
        self.calls.append(call)
        if self.refusal:
            raise self.refusal

    @property
    def told(self) -> list[tuple[EventKind, str | None, str | None]]:
        return [(event.kind, event.tool, event.reason) for event in self.events]


class World:
    """A sandbox, a watcher, and clients of a server in front of both."""

    def __init__(self, mode: Any) -> None:
        self.sandbox = Sandbox("http://redmine.test")
        self.watcher = Watcher()
        self.mode = mode
        self.token = self.sandbox.grant("alice", ["view_issues"]).access_token

    @asynccontextmanager
    async def client(self, *scopes: str) -> AsyncIterator[Client[Any]]:
        async with client_for(
            plugin,
            self.watcher,
            redmine=httpx.ASGITransport(self.sandbox.app),
            token=self.token,
            scopes=scopes or ("view_issues",),
            mode=self.mode,
        ) as client:
            yield client

    async def call(self, tool: str, **arguments: Any) -> CallToolResult:
        async with self.client() as client:
            return await client.call_tool(tool, arguments, raise_on_error=False)


@pytest.fixture(params=["auto", "legacy"], ids=["modern", "handshake"])
def world(request: pytest.FixtureRequest) -> World:
    """Both eras of the protocol: what holds in one holds in the other."""
    return World(request.param)


async def test_a_call_reaches_redmine_as_its_caller(world: World) -> None:
    """Text for the model and data for programs come back; the token went to Redmine only."""
    result = await world.call("read", path="/my/account.json")

    assert not result.is_error
    assert text_of(result) == "The answer is user."
    assert result.structured_content == {"value": "user"}
    assert world.sandbox.requests[-1].headers["authorization"] == f"Bearer {world.token}"


async def test_a_tool_knows_its_caller(world: World) -> None:
    """Login and name are at hand without a question to Redmine."""
    assert text_of(await world.call("whoami")) == "The answer is alice."
    assert world.sandbox.requests == []


async def test_only_what_the_sign_in_covers_is_listed(world: World) -> None:
    """A tool whose scopes are not granted is noise to a model."""
    async with world.client("view_issues") as client:
        reader = {tool.name for tool in await client.list_tools()}
    async with world.client("view_issues", "delete_issues") as client:
        deleter = {tool.name for tool in await client.list_tools()}

    assert deleter - reader == {"wipe"}


async def test_what_is_not_listed_is_not_called_either(world: World) -> None:
    """The missing scope is named, in words and as a code, and Redmine is not asked."""
    result = await world.call("wipe")

    assert result.is_error
    assert "not granted delete_issues" in text_of(result)
    assert text_of(result).endswith("[missing_scope]")
    assert world.watcher.told == [(EventKind.TOOL_REFUSED, "wipe", "missing_scope")]
    assert world.sandbox.requests == []


async def test_a_refusal_reaches_the_caller(world: World) -> None:
    """An organisation's rule speaks in its own words; the tool does not run."""
    world.watcher.refusal = Refusal("Not before nine o'clock.", code="office_hours")

    result = await world.call("read", path="/my/account.json")

    assert result.is_error
    assert text_of(result) == "Not before nine o'clock. [office_hours]"
    assert world.watcher.told == [(EventKind.TOOL_REFUSED, "read", "office_hours")]
    assert world.sandbox.requests == []


async def test_a_rule_that_fails_refuses(world: World) -> None:
    """A rule that could not be asked stops the call and shows nothing of its failure."""
    world.watcher.refusal = RuntimeError(SECRET)

    result = await world.call("read", path="/my/account.json")

    assert result.is_error
    assert text_of(result).endswith("[rule_failed]")
    assert SECRET not in text_of(result)
    assert world.watcher.told == [(EventKind.TOOL_REFUSED, "read", "rule_failed")]
    assert world.sandbox.requests == []


async def test_a_rule_sees_the_call(world: World) -> None:
    """The declaration, the arguments and the caller, and no token."""
    await world.call("read", path="/my/account.json")

    (call,) = world.watcher.calls
    assert call.declaration.name == "read"
    assert call.declaration.effect == "reads"
    assert call.arguments == {"path": "/my/account.json"}
    assert call.caller.login == "alice"
    assert world.token not in repr(call)


async def test_a_call_that_worked_is_told(world: World) -> None:
    """Who watches learns of the tool, the user and the time it took."""
    await world.call("read", path="/my/account.json")

    (event,) = world.watcher.events
    assert (event.kind, event.tool, event.reason) == (EventKind.TOOL_CALLED, "read", None)
    assert event.user_id is not None
    assert event.client_id == "test"
    assert event.seconds is not None
    assert 0 <= event.seconds < 5


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


async def test_an_unknown_tool_is_an_error(world: World) -> None:
    """Its name comes back, to the one who made it up; those who watch are told of no name."""
    result = await world.call("raed")

    assert result.is_error
    assert "raed" in text_of(result)
    assert world.watcher.told == [(EventKind.TOOL_REFUSED, None, "unknown_tool")]


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


async def test_an_error_result_raises_in_a_client_that_wants_it(world: World) -> None:
    """The error is a real MCP tool error (isError), as clients know it."""
    async with world.client() as client:
        with pytest.raises(ToolError, match="not_found"):
            await client.call_tool("read", {"path": "/issues/999.json"})


async def test_a_tool_says_what_it_does(world: World) -> None:
    """The hints of the MCP specification follow from the declaration."""
    async with world.client("view_issues", "delete_issues") as client:
        hints = {tool.name: tool.annotations for tool in await client.list_tools()}

    reads, destroys, writes = hints["read"], hints["wipe"], hints["broken"]
    assert reads is not None
    assert destroys is not None
    assert writes is not None
    assert (reads.read_only_hint, reads.destructive_hint) == (True, None)
    assert (destroys.read_only_hint, destroys.destructive_hint) == (False, True)
    assert (writes.read_only_hint, writes.destructive_hint) == (False, False)


async def test_dependencies_are_no_arguments(world: World) -> None:
    """Redmine and the caller are not in a tool's schema: no model can give them."""
    async with world.client() as client:
        schemas = {tool.name: tool.input_schema for tool in await client.list_tools()}

    assert set(schemas["read"]["properties"]) == {"path", "times"}
    assert not schemas["whoami"].get("properties")


async def test_outside_a_request_there_is_no_caller() -> None:
    """A tool cannot run as nobody."""
    with pytest.raises(RuntimeError, match="no caller"):
        current_identity()
