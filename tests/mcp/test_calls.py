"""One request on its way to a tool, as an MCP client sees it and as those who watch are told."""

from __future__ import annotations

import pytest

from redmine_mcp_core import EventKind
from redmine_mcp_core.testing import text_of
from redmine_mcp_core.tools.current import current_identity
from tests.mcp.worlds import World


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


async def test_a_call_that_worked_is_told(world: World) -> None:
    """Who watches learns of the tool, the user and the time it took."""
    await world.call("read", path="/my/account.json")

    (event,) = world.watcher.events
    assert (event.kind, event.tool, event.reason) == (EventKind.TOOL_CALLED, "read", None)
    assert event.user_id is not None
    assert event.client_id == "test"
    assert event.seconds is not None
    assert 0 <= event.seconds < 5


async def test_an_unknown_tool_is_an_error(world: World) -> None:
    """Its name comes back, to the one who made it up; those who watch are told of no name."""
    result = await world.call("raed")

    assert result.is_error
    assert "raed" in text_of(result)
    assert world.watcher.told == [(EventKind.TOOL_REFUSED, None, "unknown_tool")]


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


async def test_outside_a_request_there_is_no_caller() -> None:
    """A tool cannot run as nobody."""
    with pytest.raises(RuntimeError, match="no caller"):
        current_identity()
