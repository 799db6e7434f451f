"""The whole contract between the host and its plugins, on one screen.

A plugin is any object with an ``api_version`` and some of these hooks, named by an entry point in
the group ``redmine_mcp``. The host calls each plugin by itself, so one that fails harms no other.
What each hook is for, with an example, stands in ``docs/hooks.md``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import pluggy

from redmine_mcp_core.demo import DemoRedmine
from redmine_mcp_core.events import Event, ToolCall
from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.observability.plugin_metrics import PluginMetrics
from redmine_mcp_core.storage import TokenStoreBackend
from redmine_mcp_core.tools.components import Components

PROJECT = "redmine_mcp"

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def register_components(components: Components) -> None:
    """Add tools, resources, templates and prompts to the server."""


@hookspec
def register_token_stores() -> Sequence[TokenStoreBackend]:  # type: ignore[empty-body]
    """Describe the token stores this plugin offers; nothing is opened yet."""


@hookspec
def register_metrics(metrics: PluginMetrics) -> None:
    """Define metrics of this plugin's own, under its name; called before any other hook."""


@hookspec
def before_tool_call(call: ToolCall) -> None:
    """Refuse a call before it reaches Redmine, by raising ``Refusal``."""


@hookspec
def on_event(event: Event) -> None:
    """Observe sign-ins, calls and refusals. Must not raise, must not block."""


@hookspec
def check_health() -> Awaitable[HealthReport]:  # type: ignore[empty-body]
    """Report the health of what this plugin depends on."""


@hookspec
def offer_demo() -> DemoRedmine:  # type: ignore[empty-body]
    """Offer a Redmine to try the server against, for ``redmine-mcp demo``."""
