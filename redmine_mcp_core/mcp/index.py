"""All plugins' components as one FastMCP provider, found by name in one step.

FastMCP asks every provider for every name, so thirty plugins as thirty providers would cost half
as much again for each call (ADR 2). Names are unique: ``plugins.py`` refuses a second claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fastmcp.prompts import Prompt
from fastmcp.resources import Resource, ResourceTemplate
from fastmcp.server.providers import Provider
from fastmcp.tools import Tool
from fastmcp.utilities.components import FastMCPComponent
from fastmcp.utilities.versions import VersionSpec

from redmine_mcp_core.tools.components import Components, RedmineTool

_C = TypeVar("_C", bound=FastMCPComponent)


class ComponentIndex(Provider):
    """The tools, resources, templates and prompts of all plugins."""

    def __init__(self, components: Components) -> None:
        super().__init__()
        self.scopes = components.scopes
        self.tools: dict[str, RedmineTool] = {tool.name: tool for tool in components.tools}
        self._resources = {str(resource.uri): resource for resource in components.resources}
        self._templates = list(components.templates)
        self.completers = list(components.completers)
        self._prompts = {prompt.name: prompt for prompt in components.prompts}

    async def _list_tools(self) -> Sequence[Tool]:
        return list(self.tools.values())

    async def _get_tool(self, name: str, version: VersionSpec | None = None) -> Tool | None:
        return _matching(self.tools.get(name), version)

    async def _list_resources(self) -> Sequence[Resource]:
        return list(self._resources.values())

    async def _get_resource(self, uri: str, version: VersionSpec | None = None) -> Resource | None:
        return _matching(self._resources.get(uri), version)

    async def _list_resource_templates(self) -> Sequence[ResourceTemplate]:
        return self._templates

    async def _get_resource_template(
        self, uri: str, version: VersionSpec | None = None
    ) -> ResourceTemplate | None:
        fitting = (item for item in self._templates if item.matches(uri) is not None)
        return _matching(next(fitting, None), version)

    async def _list_prompts(self) -> Sequence[Prompt]:
        return list(self._prompts.values())

    async def _get_prompt(self, name: str, version: VersionSpec | None = None) -> Prompt | None:
        return _matching(self._prompts.get(name), version)


def _matching(component: _C | None, version: VersionSpec | None) -> _C | None:
    if component is None or version is None or version.matches(component.version):
        return component
    return None
