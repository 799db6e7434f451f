"""A server whose tools work, refuse and fail, a sandbox behind it, and somebody who watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastmcp import Client
from fastmcp.client.client import CallToolResult
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
    Result,
    ToolCall,
    hookimpl,
)
from redmine_mcp_core.testing import client_for

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
