"""Redmines to write to: a sandbox for each test, and a real one that is put back to its seed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.client import CallToolResult, ConnectMode
from fastmcp.client.elicitation import ElicitResult

from redmine_mcp_core.testing.fixtures import Target

UP = Path(__file__).parents[4] / "tests/real_redmine/up.py"

Call = Callable[..., Awaitable[CallToolResult]]


class Person:
    """Says yes or no, remembers what was asked, and may do something before the answer."""

    def __init__(self, *, agrees: bool) -> None:
        self.agrees = agrees
        self.asked: list[str] = []
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def answer(self, message: str, *_: Any) -> ElicitResult[dict[str, bool]]:
        self.asked.append(message)
        if self.meanwhile:
            await self.meanwhile()
        if not self.agrees:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": True, "value": True})


class Writable(Target):
    """A Redmine to write to."""

    @property
    def asked(self) -> list[str]:
        """What the newest client asked."""
        return [str(asked) for asked in self.way.seen]

    @property
    def writes(self) -> list[str]:
        return [asked for asked in self.asked if not asked.startswith("GET")]

    @asynccontextmanager
    async def as_(self, login: str = "alice", **options: Any) -> AsyncIterator[Call]:
        """Call tools as somebody; with every scope that the plugin can use, unless told."""
        async with self.client(login, **options) as client:

            async def call(tool: str, **arguments: Any) -> CallToolResult:
                return await client.call_tool(tool, arguments, raise_on_error=False)

            yield call

    @asynccontextmanager
    async def before(
        self, person: Person, mode: ConnectMode = "auto"
    ) -> AsyncIterator[Client[Any]]:
        """A client of alice that can ask a person, in either era of the protocol."""
        async with self.client(mode=mode) as plain:
            server = plain.transport.server
            assert isinstance(server, FastMCP)
            async with Client(server, mode=mode, elicitation_handler=person.answer) as client:
                yield client

    async def ask(self, login: str, method: str, path: str, json: Any = None) -> dict[str, Any]:
        """Ask Redmine itself, as somebody."""
        async with self.http(login) as http:
            response = await http.request(method, path, json=json)
            response.raise_for_status()
            return dict(response.json()) if response.content.strip() else {}

    async def issue(self, issue_id: int, include: str = "journals") -> dict[str, Any]:
        answer = await self.ask("alice", "GET", f"/issues/{issue_id}.json?include={include}")
        issue: dict[str, Any] = answer["issue"]
        return issue


@pytest.fixture
def redmine(redmine: Target) -> Iterator[Writable]:
    """Each Redmine there is, holding the seed."""
    try:
        yield Writable(redmine.plugin, redmine.sandbox)
    finally:
        if redmine.sandbox is None:
            subprocess.run([sys.executable, UP, "reset"], check=True, capture_output=True)


@pytest.fixture
def agreeing() -> Person:
    """Somebody who says yes."""
    return Person(agrees=True)


@pytest.fixture
def declining() -> Person:
    """Somebody who says no."""
    return Person(agrees=False)
