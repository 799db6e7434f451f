"""Redmines to write to: a sandbox for each test, and a real one that is put back to its seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client, FastMCP
from fastmcp.client.client import CallToolResult, ConnectMode
from fastmcp.client.elicitation import ElicitResult
from redmine_mcp_issues import plugin
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import client_for

ROOT = Path(__file__).parents[4]
REAL_URL = os.environ.get("REAL_REDMINE_URL", "").rstrip("/")
SEED_FILE = ROOT / "plugins/sandbox/redmine_mcp_sandbox/seed.json"
SEED = json.loads(SEED_FILE.read_text(encoding="utf-8"))
API_KEYS = {user["login"]: user["api_key"] for user in SEED["users"]}

Call = Callable[..., Awaitable[CallToolResult]]


class Way(httpx.AsyncBaseTransport):
    """A way to Redmine that counts what is asked, and may do something before or after it."""

    def __init__(self, inner: httpx.AsyncBaseTransport, key: str = "") -> None:
        self._inner = inner
        self._key = key
        self.seen: list[str] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after: Callable[[str], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url.path}"
        self.seen.append(asked)
        if self.before:
            await self.before(asked)
        if self._key:
            # A real Redmine has no tokens of ours; a user's API key is as good, with every scope.
            url = httpx.URL(REAL_URL)
            request.url = request.url.copy_with(scheme=url.scheme, host=url.host, port=url.port)
            request.headers["Host"] = f"{url.host}:{url.port}"
            del request.headers["Authorization"]
            request.headers["X-Redmine-API-Key"] = self._key
        response = await self._inner.handle_async_request(request)
        if self.after:
            await response.aread()
            await self.after(asked)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    @property
    def writes(self) -> list[str]:
        return [asked for asked in self.seen if not asked.startswith("GET")]


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


class Target:
    """A Redmine under test."""

    def __init__(self, sandbox: Sandbox | None) -> None:
        self.sandbox = sandbox
        self.way: Way
        """That of the newest client."""

    def way_of(self, login: str) -> Way:
        if self.sandbox is None:
            return Way(httpx.AsyncHTTPTransport(verify=False), API_KEYS[login])
        return Way(httpx.ASGITransport(self.sandbox.app))

    @asynccontextmanager
    async def as_(self, login: str = "alice", **options: Any) -> AsyncIterator[Call]:
        """Call tools as somebody; with every scope that the plugin can use, unless told."""
        way = self.way = self.way_of(login)
        scopes = options.get("scopes") or plugin.scopes
        token = self.sandbox.grant(login, scopes).access_token if self.sandbox else "none"
        async with client_for(plugin, redmine=way, token=token, login=login, **options) as client:

            async def call(tool: str, **arguments: Any) -> CallToolResult:
                return await client.call_tool(tool, arguments, raise_on_error=False)

            yield call

    @asynccontextmanager
    async def before(
        self, person: Person, mode: ConnectMode = "auto"
    ) -> AsyncIterator[Client[Any]]:
        """A client of alice that can ask a person, in either era of the protocol."""
        way = self.way = self.way_of("alice")
        token = self.sandbox.grant("alice", plugin.scopes).access_token if self.sandbox else "none"
        async with client_for(plugin, redmine=way, token=token, mode=mode) as plain:
            server = plain.transport.server
            assert isinstance(server, FastMCP)
            async with Client(server, mode=mode, elicitation_handler=person.answer) as client:
                yield client

    async def ask(self, login: str, method: str, path: str, json: Any = None) -> dict[str, Any]:
        """Ask Redmine itself, as somebody."""
        token = self.sandbox.grant(login, plugin.scopes).access_token if self.sandbox else "none"
        async with httpx.AsyncClient(
            transport=self.way_of(login),
            base_url="http://redmine.test",
            headers={"Authorization": f"Bearer {token}"},
        ) as http:
            response = await http.request(method, path, json=json)
            response.raise_for_status()
            return dict(response.json()) if response.content.strip() else {}

    async def issue(self, issue_id: int, include: str = "journals") -> dict[str, Any]:
        answer = await self.ask("alice", "GET", f"/issues/{issue_id}.json?include={include}")
        issue: dict[str, Any] = answer["issue"]
        return issue


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.real_redmine)])
def redmine(request: pytest.FixtureRequest) -> Iterator[Target]:
    """Each Redmine there is, holding the seed."""
    if request.param == "sandbox":
        yield Target(Sandbox("http://redmine.test"))
        return
    if not REAL_URL:
        pytest.skip("REAL_REDMINE_URL is not set: tests/real_redmine/up.py prints it")
    try:
        yield Target(None)
    finally:
        up = ROOT / "tests/real_redmine/up.py"
        subprocess.run([sys.executable, up, "reset"], check=True, capture_output=True)


@pytest.fixture
def agreeing() -> Person:
    """Somebody who says yes."""
    return Person(agrees=True)


@pytest.fixture
def declining() -> Person:
    """Somebody who says no."""
    return Person(agrees=False)
