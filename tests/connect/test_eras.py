"""Everything passes both ways, whichever protocol era the client and the server speak."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastmcp import Client
from mcp_types import LOG_LEVEL_META_KEY, PromptReference

from tests.connect.bridges import Home
from tests.connect.theirs import Era, Theirs, running_theirs

pytestmark = pytest.mark.filterwarnings("ignore:The logging capability is deprecated")
"""Servers still send messages, deprecated or not, and clients still show them."""


@pytest.fixture(params=["both", "handshake", "modern"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Theirs]:
    era: Era = request.param
    async with running_theirs(era) as running:
        yield running


async def answer_who(*_: Any) -> dict[str, str]:
    return {"value": "alice"}


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_everything_passes(server: Theirs, home: Home, mode: str) -> None:
    """Tools, progress, messages, questions to the person, prompts and completions."""
    steps: list[float] = []
    messages: list[Any] = []

    async def note_step(progress: float, *_: Any) -> None:
        steps.append(progress)

    async def note_message(message: Any) -> None:
        messages.append(message.data)

    client = Client(
        home.transport(server.url),
        mode=mode,
        elicitation_handler=answer_who,
        progress_handler=note_step,
        log_handler=note_message,
    )
    async with client:
        names = {tool.name for tool in await client.list_tools()}
        added = await client.call_tool("add", {"a": 1, "b": 2})
        stepped = await client.call_tool("steps", {}, meta={LOG_LEVEL_META_KEY: "info"})
        asked = await client.call_tool("ask", {})
        prompts = await client.list_prompts()
        completed = await client.complete(
            PromptReference(name="greet"), {"name": "name", "value": "a"}
        )

    assert {"add", "ask", "steps", "write"} <= names
    assert added.data == 3
    assert stepped.data == "done"
    assert steps == [1, 2]
    assert len(messages) == 1
    assert "hello alice" in str(asked.content)
    assert [prompt.name for prompt in prompts] == ["greet"]
    assert completed.values == ["alice", "bob"]
    assert home.sign_ins == 1
