"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from fastmcp import Client
from mcp_types import TextContent
from redmine_mcp_prompts import plugin
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import client_for

SCOPES = (
    "search_project",
    "view_changesets",
    "view_issue_watchers",
    "view_issues",
    "view_members",
    "view_private_notes",
    "view_project",
    "view_time_entries",
)
REAL_URL = os.environ.get("REAL_REDMINE_URL", "").rstrip("/")
SEED = Path(__file__).parents[2] / "sandbox/redmine_mcp_sandbox/seed.json"

SignIn = Callable[..., AbstractAsyncContextManager[Client[Any]]]


@pytest.fixture
def sandbox() -> Sandbox:
    """A Redmine of this test's own."""
    return Sandbox("http://redmine.test")


@pytest.fixture
def sign_in(sandbox: Sandbox) -> SignIn:
    """Sign somebody in to the sandbox, with some scopes."""

    @asynccontextmanager
    async def signed_in(login: str = "alice", *scopes: str) -> AsyncIterator[Client[Any]]:
        token = sandbox.grant(login, scopes or SCOPES).access_token
        async with client_for(
            plugin,
            redmine=httpx.ASGITransport(sandbox.app),
            token=token,
            login=login,
            scopes=scopes or SCOPES,
        ) as client:
            yield client

    return signed_in


class Watched(httpx.AsyncBaseTransport):
    """A way to Redmine that keeps the requests; to a real one it takes a user's API key along."""

    def __init__(self, inner: httpx.AsyncBaseTransport, key: str = "") -> None:
        self._inner = inner
        self._key = key
        self.seen: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(f"{request.method} {request.url.raw_path.decode()}")
        if self._key:
            to = httpx.URL(REAL_URL)
            request.url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
            request.headers["Host"] = to.netloc.decode()
            del request.headers["Authorization"]
            request.headers["X-Redmine-API-Key"] = self._key
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Target:
    """A Redmine under test."""

    def __init__(self, sandbox: Sandbox | None) -> None:
        self._sandbox = sandbox
        self.seen: list[str] = []
        """What the newest prompt asked of Redmine."""

    async def prompt(
        self,
        name: str,
        login: str = "alice",
        mode: Literal["auto", "legacy"] = "auto",
        **arguments: str,
    ) -> str:
        """The text of a prompt, for somebody with every scope, in either protocol era."""
        if self._sandbox:
            way = Watched(httpx.ASGITransport(self._sandbox.app))
            token = self._sandbox.grant(login, SCOPES).access_token
        else:
            users = json.loads(SEED.read_text(encoding="utf-8"))["users"]
            key = next(user["api_key"] for user in users if user["login"] == login)
            way, token = Watched(httpx.AsyncHTTPTransport(), key), "none"
        self.seen = way.seen
        async with client_for(plugin, redmine=way, token=token, login=login, mode=mode) as client:
            prompt = await client.get_prompt(name, arguments)
        (message,) = prompt.messages
        assert message.role == "user"
        assert isinstance(message.content, TextContent)
        return message.content.text


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.real_redmine)])
def redmine(request: pytest.FixtureRequest) -> Target:
    """Each Redmine there is; prompts only read."""
    if request.param == "sandbox":
        return Target(Sandbox("http://redmine.test"))
    if not REAL_URL:
        pytest.skip("REAL_REDMINE_URL is not set: tests/real_redmine/up.py prints it")
    return Target(None)
