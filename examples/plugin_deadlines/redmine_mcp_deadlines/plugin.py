"""The plugin object: what it counts, and the rule it holds every tool to."""

from __future__ import annotations

from datetime import date

from redmine_mcp_core import Plugin, PluginMetrics, Refusal, ToolCall, hookimpl

SATURDAY = 5


class Deadlines(Plugin):
    """Tools about deadlines, and the rule that none is on a weekend."""

    @hookimpl
    def register_metrics(self, metrics: PluginMetrics) -> None:
        self.postponed = metrics.counter("postponed", "Deadlines that were put off.")

    @hookimpl
    def before_tool_call(self, call: ToolCall) -> None:
        wanted = call.arguments.get("due_date")
        if wanted and is_on_a_weekend(str(wanted)):
            raise Refusal("Nothing is due on a weekend here: take a weekday.", code="weekend")


def is_on_a_weekend(text: str) -> bool:
    """Whether this is a Saturday or a Sunday; what is no date is for the tool to refuse."""
    try:
        return date.fromisoformat(text).weekday() >= SATURDAY
    except ValueError:
        return False


plugin = Deadlines()
