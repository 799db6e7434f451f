"""The dependencies that a tool may ask for: who calls, and Redmine as they see it.

    async def my_tool(redmine: Redmine = CurrentRedmine()) -> MyResult: ...

FastMCP leaves such parameters out of the tool's input schema and fills them in at each call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from fastmcp.dependencies import Depends

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.redmine import Redmine


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller together with Redmine as they see it."""

    caller: Caller
    redmine: Redmine


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


def CurrentRedmine() -> Redmine:  # noqa: N802 - spelt as FastMCP spells its dependencies
    """Redmine as the caller of this tool."""
    return Depends(_redmine)


def CurrentCaller() -> Caller:  # noqa: N802
    """The caller of this tool: id, login, name and scopes, and no token."""
    return Depends(_caller)
