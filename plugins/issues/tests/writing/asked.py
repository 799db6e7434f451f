"""A client whose person is asked, in either era of the protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastmcp import Client, FastMCP
from fastmcp.client.elicitation import ElicitResult
from redmine_mcp_issues import plugin

from redmine_mcp_core.testing import client_for


class Person:
    """Says yes or no, remembers what was asked, and may do something before the answer."""

    def __init__(self, *, agrees: bool) -> None:
        self.agrees = agrees
        self.asked: list[str] = []
        self.before: Any = None

    async def answer(self, message: str, *_: Any) -> ElicitResult[dict[str, bool]]:
        self.asked.append(message)
        if self.before:
            await self.before()
        if not self.agrees:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": True, "value": True})


@asynccontextmanager
async def asking(
    redmine: Any, person: Person, mode: Any = "auto", login: str = "alice", **options: Any
) -> AsyncIterator[Client[Any]]:
    """A client of a Redmine under test, before a person."""
    redmine.way = redmine.way_of(login)
    scopes = options.get("scopes") or plugin.scopes
    token = redmine.sandbox.grant(login, scopes).access_token if redmine.sandbox else "none"
    way = {"redmine": redmine.way, "token": token, "login": login, "mode": mode}
    async with client_for(plugin, **way, **options) as plain:
        server = plain.transport.server
        assert isinstance(server, FastMCP)
        async with Client(server, mode=mode, elicitation_handler=person.answer) as client:
            yield client
