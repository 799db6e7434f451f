"""From plugins to an MCP server, however its callers come in."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastmcp import FastMCP
from fastmcp.server.auth import AuthProvider

from redmine_mcp_core.builtins import builtin_plugins
from redmine_mcp_core.mcp.calls import CallMiddleware, Identify
from redmine_mcp_core.mcp.completions import Completions
from redmine_mcp_core.mcp.hello import bare_mcp
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Offer, OfferRule, Selection
from redmine_mcp_core.mcp.surface import Surface
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.settings import required_plugins
from redmine_mcp_core.tools.current import current_identity

EVERY_TOOL = Selection()
SHORTEST_WORD = 3
MOST_WITHHELD = 3


def discover_plugins(metrics: Metrics, *, again: bool = False) -> Plugins:
    """The host's own plugins and the installed ones.

    ``again``: a server of this process has them already. A plugin is one object, whatever serves
    it, so its metrics are defined once.
    """
    metrics_of = None if again else metrics.of_plugin
    plugins = Plugins.discover(
        builtin=builtin_plugins(metrics), required=required_plugins(), metrics_of=metrics_of
    )
    for report in plugins.reports:
        metrics.set("plugin_up", 0 if report.problem else 1, report.name)
    return plugins


def build_mcp(
    plugins: Plugins,
    index: ComponentIndex,
    identify: Identify,
    *,
    auth: AuthProvider | None = None,
    selection: Selection = EVERY_TOOL,
    request_state_key: bytes | None = None,
) -> FastMCP[Any]:
    """The MCP server of these plugins, for requests whose caller ``identify`` tells.

    Replicas that share ``request_state_key`` take up each other's calls of several rounds.
    """
    mcp = bare_mcp(auth=auth, request_state_key=request_state_key)
    furnish(mcp, plugins, index, identify, selection=selection)
    return mcp


def furnish(
    mcp: FastMCP[Any],
    plugins: Plugins,
    index: ComponentIndex,
    identify: Identify,
    *,
    selection: Selection = EVERY_TOOL,
) -> None:
    """Bring a server that knows no tool those of these plugins."""
    offer = Offer(selection)
    plugins.add([("offer_rule", OfferRule(offer))])
    mcp.add_provider(index)
    mcp.add_middleware(CallMiddleware(identify, index, plugins, offer))
    listed = [name for name, tool in index.tools.items() if tool.declaration.listed]
    if len(listed) < len(index.tools):
        mcp.add_transform(Surface(listed, partial(_withheld, index, offer)))
    if index.completers:
        mcp.add_completion_handler(Completions(index.completers).complete)


def _withheld(index: ComponentIndex, offer: Offer, query: str) -> list[str]:
    """Names the tools that fit best among those that the sign-in was not granted.

    A client that calls one is told which permission to get (``auth/step_up.py``); without this a
    model could not know that there is anything to get.
    """
    caller = current_identity().caller
    words = {word for word in query.lower().split() if len(word) >= SHORTEST_WORD}
    fitting = []
    for tool in index.tools.values():
        missing = caller.missing(tool.declaration.scopes)
        if not missing or caller.read_only or offer.refusal(tool.declaration):
            continue
        about = f"{tool.name.replace('_', ' ')} {tool.description}".lower().split()
        if common := len(words.intersection(about)):
            fitting.append((common, f"{tool.name} (needs {', '.join(missing)})"))
    if not fitting:
        return []
    best = [text for _, text in sorted(fitting, key=lambda item: -item[0])[:MOST_WITHHELD]]
    return [f"Not granted to this sign-in: {'; '.join(best)}. Calling it asks for more."]
