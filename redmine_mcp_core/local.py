"""One person on their own computer: the server over standard input and output, with their API key.

Whose key it is, is asked in the background while the client says hello, so that starting costs
nothing; what needs to know it waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext

from redmine_mcp_core.auth.api_keys import API_KEY, credential_of
from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.auth.identity import identity as identity_of
from redmine_mcp_core.mcp.building import furnish
from redmine_mcp_core.mcp.hello import bare_mcp
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Selection
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import Gateway, OnlyProjects, Redmine, RedmineError, Unauthorized
from redmine_mcp_core.settings import Settings, SettingsError, own_key
from redmine_mcp_core.storage import MemoryStore
from redmine_mcp_core.tools.current import Identity
from redmine_mcp_core.tools.local_files import NO_LOCAL_FILES, LocalFiles
from redmine_mcp_core.tools.notebook import Notebook

CLIENT_ID = "stdio"
KEY_REFUSED = (
    "Redmine does not know this API key: it was reset, or REDMINE_API_KEY holds another. The "
    "person finds theirs on their account page in Redmine."
)
_WAITING = frozenset({"tools/call", "resources/read", "prompts/get", "completion/complete"})
"""What is done as somebody. Everything else only says what there is."""


class LocalUser:
    """The person whose key it is."""

    def __init__(self, redmine: Redmine, scopes: frozenset[str], files: LocalFiles) -> None:
        self._redmine = redmine
        self._files = files
        self._notebook = Notebook(MemoryStore(), CLIENT_ID)
        self._caller = Caller(0, "", "", scopes, CLIENT_ID)
        self._asked: asyncio.Task[None] | None = None

    def identify(self) -> Identity:
        """As far as it is known who it is."""
        return Identity(self._caller, self._redmine, self._notebook, self._files)

    async def known(self) -> None:
        """Wait until it is known who it is. Raises ``RedmineError``; the next call asks anew.

        Nothing may be asked with a key that Redmine does not know: it would answer as anonymous.
        """
        if self._asked is None or (self._asked.done() and self._asked.exception()):
            self._asked = asyncio.create_task(self._ask())
        await asyncio.shield(self._asked)

    async def _ask(self) -> None:
        self._caller = replace(self._caller, **identity_of(await self._redmine.account()))


class WhoFirst(Middleware):
    """Lets nothing run as somebody before it is known who."""

    def __init__(self, user: LocalUser) -> None:
        self._user = user

    async def on_request(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]
    ) -> Any:
        if context.method in _WAITING:
            try:
                await self._user.known()
            except Unauthorized:
                raise ToolError(f"{KEY_REFUSED} [{Unauthorized.code}]") from None
            except RedmineError as error:
                raise ToolError(f"{error} [{error.code}]") from error
        return await call_next(context)


@asynccontextmanager
async def open_local(settings: Settings, plugins: Plugins) -> AsyncIterator[FastMCP[Any]]:
    """The server of one person. Raises ``SettingsError`` for a key or a folder that cannot be."""
    mcp = bare_mcp()
    async with furnished(mcp, settings, plugins):
        yield mcp


@asynccontextmanager
async def furnished(mcp: FastMCP[Any], settings: Settings, plugins: Plugins) -> AsyncIterator[None]:
    """Within this block, a bare server is that of one person. Raises ``SettingsError``."""
    key = credential_of(API_KEY, own_key(settings))
    index = ComponentIndex(plugins.components)
    selection = Selection(tuple(settings.mcp_tools), settings.mcp_read_only)
    async with Gateway(settings.redmine_url, deadline=settings.redmine_timeout) as gateway:
        projects = OnlyProjects(settings.mcp_projects) if settings.mcp_projects else None
        redmine = Redmine(gateway, key, projects=projects)
        user = LocalUser(redmine, frozenset(index.scopes), local_files(settings))
        # Before all else that it is furnished with: who calls is read when the others begin.
        mcp.add_middleware(WhoFirst(user))
        furnish(mcp, plugins, index, user.identify, selection=selection)
        yield


def local_files(settings: Settings) -> LocalFiles:
    if settings.mcp_files_folder is None:
        return NO_LOCAL_FILES
    try:
        return LocalFiles(settings.mcp_files_folder)
    except ValueError as error:
        raise SettingsError([f"MCP_FILES_FOLDER: {error}"]) from error
