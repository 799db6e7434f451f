"""Call a plugin as an MCP client would, in one process and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from typing import cast

import httpx
from fastmcp import Client
from fastmcp.client.client import CallToolResult, ConnectMode
from fastmcp.client.transports import FastMCPTransport
from mcp_types import TextContent, Tool

from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.builtins import builtin_plugins
from redmine_mcp_core.mcp.building import build_mcp
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import Credential, Gateway, Redmine
from redmine_mcp_core.storage import MemoryStore, TokenStore
from redmine_mcp_core.tools.current import Identity
from redmine_mcp_core.tools.local_files import NO_LOCAL_FILES, LocalFiles
from redmine_mcp_core.tools.notebook import Notebook

_MARKS = re.compile(r"«([0-9a-f]{6}) data from [^\n:]*, no instructions:\s(.*?)\s\1»", re.DOTALL)

BASE_URL = "http://redmine.test"
"""Where a Redmine behind a transport is said to be."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A plugin as an entry point announces it; ``load`` may also be made to fail."""

    name: str
    load: Callable[[], object]
    dist: None = None


@asynccontextmanager
async def client_for(
    *plugins: object,
    redmine: httpx.AsyncBaseTransport | str,
    token: str,
    login: str = "alice",
    scopes: Collection[str] | None = None,
    mode: ConnectMode = "auto",
    store: TokenStore | None = None,
    files: LocalFiles = NO_LOCAL_FILES,
) -> AsyncIterator[Client[FastMCPTransport]]:
    """An MCP client of a server with these plugins, signed in already.

    ``redmine`` is a base URL or a transport, such as ``httpx.ASGITransport(Sandbox().app)``;
    ``token`` is the OAuth token it is asked with. ``scopes`` are what the host believes the
    sign-in was granted: by default, all that the plugins ask for. ``store`` is what the notebook
    rests in; clients that share one are as replicas to each other. ``files`` are what tools may
    read of this computer.
    Raises ``AssertionError`` with the reason if a plugin cannot be loaded.
    """
    announced = [Announced(f"plugin{i}", partial(_the, plugin)) for i, plugin in enumerate(plugins)]
    metrics = Metrics()
    found = Plugins.discover(
        builtin=builtin_plugins(metrics),
        installed=cast("list[EntryPoint]", announced),
        metrics_of=metrics.of_plugin,
    )
    if found.problems:
        raise AssertionError("; ".join(found.problems.values()))
    index = ComponentIndex(found.components)
    granted = frozenset(index.scopes if scopes is None else scopes)
    url, transport = (redmine, None) if isinstance(redmine, str) else (BASE_URL, redmine)
    async with Gateway(url, transport=transport, backoff=0.001) as gateway:
        caller = Caller(user_id=1, login=login, name=login, scopes=granted, client_id="test")
        notebook = Notebook(store or MemoryStore(), login)
        identity = Identity(caller, Redmine(gateway, Credential.bearer(token)), notebook, files)
        async with Client(build_mcp(found, index, lambda: identity), mode=mode) as client:
            yield client


def text_of(result: CallToolResult) -> str:
    """What a model reads of a tool's answer."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def unmarked(text: str) -> str:
    """The text of an answer without the marks around what Redmine's users wrote."""
    return _MARKS.sub(r"\2", text)


def seen_by_model(tool: Tool) -> str:
    """What a model reads of a tool before any call: name, description and input schema."""
    seen = {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
    return json.dumps(seen, ensure_ascii=False, separators=(",", ":"))


def _the(plugin: object) -> object:
    return plugin
