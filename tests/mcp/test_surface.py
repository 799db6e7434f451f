"""What a model sees at once, how it finds the rest, and what it is asked before destroying."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import FastMCPTransport
from pydantic import Field
from redmine_mcp_issues import plugin as issues
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core import Plugin, Result, confirmed
from redmine_mcp_core.testing import client_for, text_of

Mode = Literal["auto", "legacy"]

rare = Plugin()


class Deleted(Result):
    number: int

    def text(self) -> str:
        return f"deleted {self.number}"


@rare.tool(title="Delete a thing", scopes={"view_issues"}, destroys=True, listed=False)
async def delete_thing(number: Annotated[int, Field(ge=1)], confirm: bool = False) -> Deleted:
    """Delete a thing for good."""
    await confirmed(f"Delete thing {number} for good?", confirm=confirm)
    return Deleted(number=number)


@rare.tool(title="Delete a secret", scopes={"delete_issues"}, destroys=True, listed=False)
async def delete_secret() -> Deleted:
    """Delete a secret thing for good."""
    return Deleted(number=0)


@rare.tool(title="Paint a thing", scopes={"view_issues"}, listed=False)
async def paint_thing(
    colour: Annotated[Literal["red", "blue"], Field(description="Of the paint")],
    coats: int = 2,
    names: list[str] | None = None,
    size: float | str = 0,
) -> Deleted:
    """Paint a thing in a colour."""
    raise AssertionError(colour, coats, names, size)


@asynccontextmanager
async def connected(
    mode: Mode = "auto", *, answer: bool | None = None, asked: list[str] | None = None
) -> AsyncIterator[Client[FastMCPTransport]]:
    """A client; one that can ask its person something if an answer is given."""
    sandbox = Sandbox()
    scopes = ["view_issues", "search_project"]
    token = sandbox.grant("alice", scopes).access_token
    transport = httpx.ASGITransport(sandbox.app)

    async def person(message: str, *_: Any) -> ElicitResult[dict[str, bool]]:
        if asked is not None:
            asked.append(message)
        if not answer:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": True, "value": True})

    async with client_for(
        issues, rare, redmine=transport, token=token, scopes=scopes, mode=mode
    ) as plain:
        server = plain.transport.server
        assert isinstance(server, FastMCP)
        handler = None if answer is None else person
        async with Client(server, mode=mode, elicitation_handler=handler) as client:
            yield client


async def test_unlisted_tools_are_found_and_called() -> None:
    """A tool that is not listed is found by what it does, and called by its name."""
    async with connected() as client:
        listed = [tool.name for tool in await client.list_tools()]
        found = text_of(await client.call_tool("find_tools", {"query": "delete something"}))
        arguments = {"name": "delete_thing", "arguments": {"number": 3, "confirm": True}}
        called = text_of(await client.call_tool("call_tool", arguments))

    assert "delete_thing" not in listed
    assert {"find_tools", "call_tool"} <= set(listed)
    assert "### delete_thing" in found
    assert "`number` (integer, required)" in found
    assert called == "deleted 3"


async def test_a_found_tool_is_described_with_what_its_parameters_take() -> None:
    """Their kinds, the values there are and what is said of them; what fits less is only named."""
    async with connected() as client:
        found = text_of(
            await client.call_tool("find_tools", {"query": "delete a comment or file of an issue"})
        )
        one = text_of(await client.call_tool("find_tools", {"query": "read a thing by colour"}))

    assert "- `confirm` (boolean)" in found
    assert found.count("### ") == 3
    further = found.partition("Further off, found by name:\n")[2].splitlines()
    assert [text.partition(": ")[0] for text in further] != []
    assert "### paint_thing\nPaint a thing in a colour." in one
    assert '- `colour` ("red" or "blue", required): Of the paint' in one
    assert "- `coats` (integer, default 2)" in one
    assert "- `names` (array of string)" in one
    assert "- `size` (number or string)" in one


async def test_a_tool_that_there_is_not_is_told_so() -> None:
    """With those of a similar name, and how to find others."""
    async with connected() as client:
        result = await client.call_tool(
            "call_tool", {"name": "delete_things"}, raise_on_error=False
        )

    assert text_of(result).startswith(
        "There is no tool 'delete_things' here. Is it delete_thing or "
    )
    assert text_of(result).endswith("? find_tools finds what there is.")


async def test_an_unknown_argument_is_answered_with_the_known_ones() -> None:
    """A model that guessed a name need not guess again."""
    async with connected() as client:
        result = await client.call_tool("delete_thing", {"id": 3}, raise_on_error=False)

    assert "id: Unexpected keyword argument. It takes: number, confirm." in text_of(result)


async def test_a_tool_beyond_the_sign_in_is_named_with_what_it_lacks() -> None:
    """What a sign-in may not call is not described, and not called: what it takes is said."""
    async with connected() as client:
        found = text_of(await client.call_tool("find_tools", {"query": "delete a secret"}))
        called = await client.call_tool(
            "call_tool", {"name": "delete_secret"}, raise_on_error=False
        )

    assert "### delete_secret" not in found
    assert "Not granted to this sign-in: delete_secret (needs delete_issues)" in found
    assert called.is_error


async def test_what_has_nothing_to_do_with_it_is_not_named() -> None:
    """Only tools that fit what is looked for."""
    async with connected() as client:
        found = text_of(await client.call_tool("find_tools", {"query": "watch an issue"}))

    assert "delete_secret" not in found


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("confirm", [False, True])
async def test_the_person_decides_where_the_client_can_ask(mode: Mode, confirm: bool) -> None:
    """A person who declines is obeyed, whatever the model claims with its argument."""
    asked: list[str] = []
    async with connected(mode, answer=False, asked=asked) as client:
        refused = await client.call_tool(
            "delete_thing", {"number": 3, "confirm": confirm}, raise_on_error=False
        )

    assert refused.is_error
    assert "[not_confirmed]" in text_of(refused)
    assert asked == ["Delete thing 3 for good?"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("through", ["delete_thing", "call_tool"])
async def test_a_person_who_agrees_is_asked_once(mode: Mode, through: str) -> None:
    """In both eras one question and one yes do it, also through ``call_tool``."""
    asked: list[str] = []
    arguments: dict[str, Any] = {"number": 3}
    if through == "call_tool":
        arguments = {"name": "delete_thing", "arguments": arguments}
    async with connected(mode, answer=True, asked=asked) as client:
        assert text_of(await client.call_tool(through, arguments)) == "deleted 3"

    assert asked == ["Delete thing 3 for good?"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_cannot_ask_needs_the_argument(mode: Mode) -> None:
    """Without a way to ask nothing is destroyed, until the call says that the person agreed."""
    async with connected(mode) as client:
        refused = await client.call_tool("delete_thing", {"number": 3}, raise_on_error=False)
        agreed = await client.call_tool("delete_thing", {"number": 3, "confirm": True})

    assert "Ask the person" in text_of(refused)
    assert text_of(agreed) == "deleted 3"
