"""The installed plugins: which work, and why any was left out."""

from __future__ import annotations

from collections.abc import Iterator

from redmine_mcp_core.checks.finding import Finding, fail, ok
from redmine_mcp_core.plugins import Plugins


def installed(plugins: Plugins, required: list[str]) -> Iterator[Finding]:
    working = [report.name for report in plugins.reports if not report.problem]
    for name, problem in plugins.problems.items():
        yield fail(
            f"The plugin {name} was left out: {problem}",
            "Update it, or uninstall it. The others work all the same.",
        )
    for name, problem in plugins.missing(required).items():
        if name not in plugins.problems:
            yield fail(f"The plugin {name} of MCP_REQUIRED_PLUGINS: {problem}", "Install it.")
    if tools := len(plugins.components.tools):
        yield ok(f"Plugins: {', '.join(working)}, with {tools} tools")
    else:
        yield fail("No plugin brings any tool", "pip install redmine-mcp-issues")
