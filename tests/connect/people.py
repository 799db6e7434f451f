"""Connections in this process, with somebody at the browser: faster than a bridge of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urljoin

import httpx

from redmine_mcp_core.connect import Options
from redmine_mcp_core.connect.person import Person
from redmine_mcp_core.connect.remote import Remote
from redmine_mcp_core.connect.running import signed_in_client
from redmine_mcp_core.connect.tools import Tools

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Clicking(Person):
    """Goes where the browser is sent, and follows every redirect."""

    def __init__(
        self,
        changes: Mapping[str, str] | None = None,
        *,
        browser: bool = True,
        terminal: bool = False,
    ) -> None:
        """``changes`` are made to the address that the browser comes back to."""
        super().__init__(browser=browser)
        self.told: list[str] = []
        self.was_told = asyncio.Event()
        self.shown: list[str] = []
        self.pages: list[str] = []
        self._terminal = terminal
        self._changes = dict(changes or {})

    def tell(self, text: str) -> None:
        self.told.append(text)
        self.was_told.set()

    async def show(self, address: str) -> None:
        self.shown.append(address)
        await self.visit(address)

    def has_terminal(self) -> bool:
        return self._terminal

    async def visit(self, address: str) -> None:
        async with httpx.AsyncClient() as http:
            answer = await http.get(address)
            while answer.is_redirect:
                target = httpx.URL(urljoin(str(answer.url), answer.headers["location"]))
                if target.path == "/callback":
                    target = target.copy_merge_params(self._changes)
                answer = await http.get(target)
        self.pages.append(answer.text)


class Connection:
    """Asks a server of 2026-07-28, with no bridge between."""

    def __init__(self, remote: Remote, tools: Tools) -> None:
        self._remote = remote
        self.learn = tools.learn

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method}
        message["params"] = {**params, "_meta": ENVELOPE}
        answers = [reply async for reply in self._remote.post(message) if "method" not in reply]
        return answers[-1]

    async def add(self) -> Any:
        """The result of a call, or the words of its error."""
        answer = await self.ask("tools/call", name="add", arguments={"a": 1, "b": 2})
        if "error" in answer:
            return answer["error"]["message"]
        return answer["result"]["structuredContent"]["result"]


@asynccontextmanager
async def connected(url: str, person: Person, **options: Any) -> AsyncIterator[Connection]:
    chosen = Options(url=url, store="file", **options)
    async with signed_in_client(chosen, person) as http:
        tools = Tools()
        yield Connection(Remote(http, url, tools), tools)
