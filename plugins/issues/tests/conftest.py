"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.resources import files
from typing import Any

import httpx
import pytest
from fastmcp import Client
from redmine_mcp_issues import plugin
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

SignIn = Callable[..., AbstractAsyncContextManager[Client[Any]]]


@pytest.fixture
def sandbox() -> Sandbox:
    """A Redmine of this test's own."""
    return Sandbox("http://redmine.test")


@pytest.fixture
def sign_in(sandbox: Sandbox) -> SignIn:
    """Sign somebody in, with some scopes, and call tools as them."""

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


class KeyTransport(httpx.AsyncBaseTransport):
    """Asks a real Redmine with a user's API key in place of the token."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._url = httpx.URL(base_url)
        self._key = api_key
        self._network = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        where = {"scheme": self._url.scheme, "host": self._url.host, "port": self._url.port}
        headers = {"Accept": "application/json", "X-Redmine-API-Key": self._key}
        if "Content-Type" in request.headers:
            headers["Content-Type"] = request.headers["Content-Type"]
        return await self._network.handle_async_request(
            httpx.Request(
                request.method,
                request.url.copy_with(**where),
                headers=headers,
                content=await request.aread(),
            )
        )

    async def aclose(self) -> None:
        await self._network.aclose()


REAL_URL = os.environ.get("REAL_REDMINE_URL", "")
SEED = json.loads(files("redmine_mcp_sandbox").joinpath("seed.json").read_text("utf-8"))


@pytest.fixture
def sign_in_to_real() -> SignIn:
    """Call tools as somebody of the real Redmine; the test is skipped where there is none."""
    if not REAL_URL:
        pytest.skip("REAL_REDMINE_URL is not set: tests/real_redmine/up.py prints it")
    keys = {user["login"]: user["api_key"] for user in SEED["users"]}

    @asynccontextmanager
    async def signed_in(login: str = "alice") -> AsyncIterator[Client[Any]]:
        transport = KeyTransport(REAL_URL, keys[login])
        async with client_for(plugin, redmine=transport, token="not used", login=login) as client:
            yield client

    return signed_in


@pytest.fixture(params=["sandbox", pytest.param("real", marks=[pytest.mark.real_redmine])])
def read_as(request: pytest.FixtureRequest) -> SignIn:
    """Sign in to each Redmine there is: what holds for one must hold for the other."""
    name = "sign_in" if request.param == "sandbox" else "sign_in_to_real"
    found: SignIn = request.getfixturevalue(name)
    return found
