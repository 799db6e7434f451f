"""Plugins for tests, announced as an entry point or an installed package would."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from typing import cast

from redmine_mcp_core import CurrentRedmine, Event, EventKind, Plugin, Redmine, Result, ToolCall
from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.builtins import builtin_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.testing.client import Announced
from redmine_mcp_core.tools.declaration import Effect, ToolDeclaration

CALLER = Caller(5, "alice", "Alice Ace", frozenset({"view_issues"}), "client")
CALL = ToolCall(ToolDeclaration("look", Effect.READS, frozenset({"view_issues"})), {}, CALLER)
EVENT = Event(EventKind.TOOL_CALLED, tool="look")


class Answer(Result):
    value: str = "here"

    def text(self) -> str:
        return self.value


def with_tool(name: str) -> Plugin:
    """A plugin with one tool of this name."""
    plugin = Plugin()

    async def look(redmine: Redmine = CurrentRedmine()) -> Answer:
        """Look."""
        return Answer(value=redmine.url)

    look.__name__ = name
    plugin.tool(title="Look", scopes={"view_issues"}, read_only=True)(look)
    return plugin


def listing() -> Plugin:
    """A plugin with a tool ``list_issues``."""
    plugin = Plugin()

    @plugin.tool(title="List issues", scopes={"view_issues"}, read_only=True)
    async def list_issues() -> Answer:
        """List issues."""
        return Answer()

    return plugin


def announced(name: str, plugin: object) -> Announced:
    return Announced(name, partial(_itself, plugin))


def _itself(plugin: object) -> object:
    return plugin


def discover(*entries: Announced, builtin: bool = False) -> Plugins:
    return Plugins.discover(
        builtin=builtin_plugins(Metrics()) if builtin else (),
        installed=cast("list[EntryPoint]", entries),
    )


def tool_names(plugins: Plugins) -> list[str]:
    return [tool.name for tool in plugins.components.tools]


GOOD = announced("good", with_tool("look"))


@dataclass(frozen=True)
class Package:
    """What is read of a distribution's metadata."""

    name: str
    version: str = "1"


@dataclass(frozen=True)
class Entry:
    """An entry point of an installed package."""

    name: str
    plugin: object
    dist: Package

    def load(self) -> object:
        return self.plugin


def entry(name: str, plugin: object, package: str = "") -> EntryPoint:
    return cast("EntryPoint", Entry(name, plugin, Package(package or f"acme-{name}")))


OUR_ISSUES = entry("issues", listing(), "redmine-mcp-issues")
