"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client
from redmine_mcp_projects import plugin
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
ROOT = Path(__file__).parents[3]
SEED = json.loads(
    (ROOT / "plugins/sandbox/redmine_mcp_sandbox/seed.json").read_text(encoding="utf-8")
)
API_KEYS = {user["login"]: user["api_key"] for user in SEED["users"]}

SignIn = Callable[..., AbstractAsyncContextManager[Client[Any]]]


@pytest.fixture
def sandbox() -> Sandbox:
    """A Redmine of this test's own."""
    return Sandbox("http://redmine.test")


@pytest.fixture
def sign_in(sandbox: Sandbox) -> SignIn:
    """Sign somebody in to the sandbox, with some scopes, and call tools as them."""

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
    """A way to Redmine that counts: method, path with query, and bytes of each answer."""

    def __init__(self, inner: httpx.AsyncBaseTransport, url: str = "", key: str = "") -> None:
        self._inner = inner
        self._url = httpx.URL(url) if url else None
        self._key = key
        self.seen: list[tuple[str, str, int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.raw_path.decode()
        if self._url:
            request.url = request.url.copy_with(
                scheme=self._url.scheme, host=self._url.host, port=self._url.port
            )
            request.headers["Host"] = f"{self._url.host}:{self._url.port}"
            # A real Redmine has no tokens of ours; a user's API key is as good, with every scope.
            del request.headers["Authorization"]
            request.headers["X-Redmine-API-Key"] = self._key
        response = await self._inner.handle_async_request(request)
        self.seen.append((request.method, asked, len(await response.aread())))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Target:
    """A Redmine under test."""

    def __init__(self, sandbox: Sandbox | None) -> None:
        self.sandbox = sandbox
        self.ways: list[Watched] = []

    @asynccontextmanager
    async def client(self, login: str = "alice", **options: Any) -> AsyncIterator[Client[Any]]:
        """A client signed in as somebody, with every scope that this plugin can use."""
        if self.sandbox is None:
            way = Watched(httpx.AsyncHTTPTransport(verify=False), REAL_URL, API_KEYS[login])
            token = "none"
        else:
            way = Watched(httpx.ASGITransport(self.sandbox.app))
            token = self.sandbox.grant(login, plugin.scopes).access_token
        self.ways.append(way)
        async with client_for(plugin, redmine=way, token=token, login=login, **options) as client:
            yield client

    @property
    def seen(self) -> list[tuple[str, str, int]]:
        """What the newest client asked."""
        return self.ways[-1].seen


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.real_redmine)])
def redmine(request: pytest.FixtureRequest) -> Target:
    """Each Redmine there is, for tests that only read."""
    if request.param == "sandbox":
        return Target(Sandbox("http://redmine.test"))
    if not REAL_URL:
        pytest.skip("REAL_REDMINE_URL is not set: tests/real_redmine/up.py prints it")
    return Target(None)


@pytest.fixture
def written(redmine: Target) -> Iterator[Target]:
    """Each Redmine there is, for tests that write: the real one is put back to its seed."""
    try:
        yield redmine
    finally:
        if redmine.sandbox is None:
            up = ROOT / "tests/real_redmine/up.py"
            subprocess.run([sys.executable, up, "reset"], check=True, capture_output=True)
