"""The plugin object; the modules with its prompts declare them on it."""

from __future__ import annotations

from prometheus_client import Histogram

from redmine_mcp_core import Plugin, PluginMetrics, hookimpl

_BYTES = (500, 1_000, 2_000, 4_000, 6_000, 8_000)


class Prompts(Plugin):
    """Prompts, and how large they are: the budget is wrong if most of them fill it."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: Histogram | None = None

    @hookimpl
    def register_metrics(self, metrics: PluginMetrics) -> None:
        self._sizes = metrics.histogram(
            "prompt_bytes",
            "Bytes of a prompt, without what the person typed last.",
            buckets=_BYTES,
        )

    def measured(self, text: str) -> str:
        """The same text, counted; not where nobody has asked for metrics."""
        if self._sizes:
            self._sizes.observe(len(text.encode()))
        return text


plugin = Prompts()
