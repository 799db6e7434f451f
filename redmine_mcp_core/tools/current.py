"""The dependencies that a tool may ask for: who calls, and Redmine as they see it.

    async def my_tool(redmine: Redmine = CurrentRedmine()) -> MyResult: ...

FastMCP leaves such parameters out of the tool's input schema and fills them in at each call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from fastmcp.dependencies import Depends
from fastmcp.server.dependencies import get_context

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.redmine import Redmine
from redmine_mcp_core.tools.local_files import NO_LOCAL_FILES, LocalFiles
from redmine_mcp_core.tools.notebook import Notebook

Progress = Callable[[float, float], Awaitable[None]]
"""Tells a client that asked for it how far a call has come: how much is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller together with Redmine as they see it, and what was noted down for them."""

    caller: Caller
    redmine: Redmine
    notebook: Notebook
    files: LocalFiles = NO_LOCAL_FILES
    """Files of the caller's own computer, where this server runs on it."""


_identity: ContextVar[Identity | None] = ContextVar("redmine_mcp_identity", default=None)


@contextmanager
def acting_as(identity: Identity | None) -> Iterator[None]:
    """Within this block, tools run as this caller."""
    token = _identity.set(identity)
    try:
        yield
    finally:
        _identity.reset(token)


def current_identity() -> Identity:
    identity = _identity.get()
    if identity is None:
        raise RuntimeError("no caller: this runs outside a request to the server")
    return identity


async def _redmine() -> Redmine:
    return current_identity().redmine


async def _caller() -> Caller:
    return current_identity().caller


async def _notebook() -> Notebook:
    return current_identity().notebook


async def _local_files() -> LocalFiles:
    return current_identity().files


async def _progress() -> Progress:
    # FastMCP's own Progress dependency keeps what it is told to itself.
    return get_context().report_progress


def CurrentRedmine() -> Redmine:  # noqa: N802 - spelt as FastMCP spells its dependencies
    """Redmine as the caller of this tool."""
    return Depends(_redmine)


def CurrentCaller() -> Caller:  # noqa: N802
    """The caller of this tool: id, login, name and scopes, and no token."""
    return Depends(_caller)


def CurrentNotebook() -> Notebook:  # noqa: N802
    """What tools noted down for this caller, whichever replica they ran on."""
    return Depends(_notebook)


def CurrentLocalFiles() -> LocalFiles:  # noqa: N802
    """Files of this caller's own computer; none over HTTP, where they would be the server's."""
    return Depends(_local_files)


def CurrentProgress() -> Progress:  # noqa: N802
    """Tells the client how far this call has come."""
    return Depends(_progress)
