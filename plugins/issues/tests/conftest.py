"""A client of a server with this plugin, before a sandbox Redmine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
