"""What a caller may not do is neither listed nor called, and a rule has the last word."""

from __future__ import annotations

from redmine_mcp_core import EventKind, Refusal
from redmine_mcp_core.testing import text_of
from tests.mcp.worlds import SECRET, World


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
