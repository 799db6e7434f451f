"""What ``/metrics`` shows. No user, issue or address ever becomes a label."""

from __future__ import annotations

import re
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from redmine_mcp_core.events import Event, EventKind

_TOOL_OUTCOMES = {
    EventKind.TOOL_CALLED: "ok",
    EventKind.TOOL_FAILED: "failed",
    EventKind.TOOL_REFUSED: "refused",
}
_SIGN_IN_OUTCOMES = {EventKind.SIGNED_IN: "ok", EventKind.SIGN_IN_FAILED: "failed"}

_ENDPOINT = re.compile(r"^/(?:(?P<oauth>oauth/[a-z/]+)|(?P<area>[a-z_]+))")
_AREAS = frozenset(
    """
    issues projects search users my trackers issue_statuses enumerations time_entries attachments
    uploads versions memberships queries news files relations journals groups roles
    issue_categories custom_fields watchers
    """.split()
)


class Metrics:
    """The server's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._tool_calls = Counter(
            "redmine_mcp_tool_calls",
            "Tool calls by tool and outcome.",
            ["tool", "outcome"],
            registry=self.registry,
        )
        self._tool_seconds = Histogram(
            "redmine_mcp_tool_call_seconds",
            "How long tool calls took, in seconds.",
            ["tool"],
            registry=self.registry,
        )
        self._sign_ins = Counter(
            "redmine_mcp_sign_ins", "Sign-ins by outcome.", ["outcome"], registry=self.registry
        )
        self._redmine = Histogram(
            "redmine_mcp_redmine_request_seconds",
            "How long requests to Redmine took, in seconds, by endpoint class and outcome.",
            ["method", "endpoint", "outcome"],
            registry=self.registry,
        )
        self.plugins = Gauge(
            "redmine_mcp_plugins", "Plugins by state.", ["state"], registry=self.registry
        )
        Info("redmine_mcp_build", "What runs here.", registry=self.registry).info(
            {"version": version("redmine-mcp-core"), "fastmcp": version("fastmcp")}
        )

    def count(self, event: Event) -> None:
        if outcome := _TOOL_OUTCOMES.get(event.kind):
            tool = event.tool or ""
            self._tool_calls.labels(tool, outcome).inc()
            if event.seconds is not None:
                self._tool_seconds.labels(tool).observe(event.seconds)
        elif outcome := _SIGN_IN_OUTCOMES.get(event.kind):
            self._sign_ins.labels(outcome).inc()

    def observe_redmine(self, method: str, path: str, outcome: str, seconds: float) -> None:
        """One request to Redmine; see ``redmine.gateway.Observer``."""
        self._redmine.labels(method, endpoint_class(path), outcome).observe(seconds)


def endpoint_class(path: str) -> str:
    """Which part of Redmine's API a path belongs to: one of a fixed few, never an id or a name."""
    match = _ENDPOINT.match(path)
    if match is None:
        return "other"
    if oauth := match["oauth"]:
        return oauth if oauth in {"oauth/token/info", "oauth/token"} else "other"
    return match["area"] if match["area"] in _AREAS else "other"
