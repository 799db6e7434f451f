"""Fixtures for the tests of a plugin: a sandbox Redmine, a real one, and who is signed in.

A ``conftest.py`` imports those it wants and says which plugin they are about:

    import pytest
    from my_greetings import plugin as greetings
    from redmine_mcp_core.testing.fixtures import redmine, sandbox, sign_in

    __all__ = ["redmine", "sandbox", "sign_in"]

    @pytest.fixture
    def plugin():
        return greetings

``redmine`` runs a test twice: against the sandbox and, marked ``real_redmine`` (a marker to
register), against the Redmine at ``REAL_REDMINE_URL``, which must hold the sandbox's seed. It and
``sign_in`` need ``sandbox`` to be imported beside them. This module needs pytest and
redmine-mcp-sandbox, which is why nothing else imports it.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from fastmcp import Client

from redmine_mcp_core.testing.client import BASE_URL, client_for
from redmine_mcp_core.testing.transports import KeyTransport, Watched
from redmine_mcp_core.tools.components import Plugin

try:
    from redmine_mcp_sandbox import Sandbox
    from redmine_mcp_sandbox.seed import load_seed
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{__name__} needs the package redmine-mcp-sandbox", name=missing.name
    ) from missing

READ_SCOPES = (
    "search_project",
    "view_changesets",
    "view_issue_watchers",
    "view_issues",
    "view_members",
    "view_private_notes",
    "view_project",
    "view_time_entries",
)
"""What somebody needs who only reads."""

SignIn = Callable[..., AbstractAsyncContextManager[Client[Any]]]
"""``sign_in(login="alice", *scopes)``; without scopes, with ``READ_SCOPES``."""


class Target:
    """A Redmine under test: this sandbox, or without one the Redmine at ``REAL_REDMINE_URL``."""

    def __init__(self, plugin: Plugin, sandbox: Sandbox | None) -> None:
        self.plugin = plugin
        self.sandbox = sandbox
        self.way: Watched
        """That of the newest client."""

    @asynccontextmanager
    async def client(self, login: str = "alice", **options: Any) -> AsyncIterator[Client[Any]]:
        """A client signed in as somebody, with every scope that the plugin can use.

        ``options`` are those of ``client_for``. A real Redmine ignores ``scopes``; the host does
        not. Raises ``KeyError`` if nobody has that login.
        """
        way = self.way = self._way_of(login)
        token = self._token(login, options.get("scopes") or self.plugin.scopes)
        async with client_for(
            self.plugin, redmine=way, token=token, login=login, **options
        ) as client:
            yield client

    def http(self, login: str = "alice") -> httpx.AsyncClient:
        """Ask Redmine itself as somebody, past the server."""
        token = self._token(login, self.plugin.scopes)
        return httpx.AsyncClient(
            transport=self._way_of(login),
            base_url=BASE_URL,
            headers={"Authorization": f"Bearer {token}"},
        )

    def _way_of(self, login: str) -> Watched:
        if self.sandbox:
            return Watched(httpx.ASGITransport(self.sandbox.app))
        keys = {user.login: user.api_key for user in load_seed().users}
        return Watched(KeyTransport(os.environ["REAL_REDMINE_URL"], keys[login]))

    def _token(self, login: str, scopes: list[str]) -> str:
        return self.sandbox.grant(login, scopes).access_token if self.sandbox else "none"


@pytest.fixture
def sandbox() -> Sandbox:
    """A Redmine of this test's own."""
    return Sandbox(BASE_URL)


@pytest.fixture
def sign_in(plugin: Plugin, sandbox: Sandbox) -> SignIn:
    """Sign somebody in to the sandbox, with some scopes, and call the plugin as them."""
    target = Target(plugin, sandbox)

    def signed_in(login: str = "alice", *scopes: str) -> AbstractAsyncContextManager[Client[Any]]:
        return target.client(login, scopes=scopes or READ_SCOPES)

    return signed_in


def real_target(plugin: Plugin) -> Target:
    """The real Redmine; skips the test where there is none."""
    if not os.environ.get("REAL_REDMINE_URL"):
        pytest.skip("REAL_REDMINE_URL is not set: no real Redmine took part")
    return Target(plugin, None)


@pytest.fixture
def real_redmine(plugin: Plugin) -> Target:
    """The real Redmine, for what only it can answer."""
    return real_target(plugin)


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.real_redmine)])
def redmine(plugin: Plugin, request: pytest.FixtureRequest) -> Target:
    """Each Redmine there is: what holds for one must hold for the other."""
    if request.param == "real":
        return real_target(plugin)
    return Target(plugin, request.getfixturevalue("sandbox"))
