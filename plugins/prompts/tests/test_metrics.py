"""What operators learn of prompts: their size, and nothing of what is in them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from redmine_mcp_prompts.briefing import Section, briefing
from redmine_mcp_prompts.plugin import Prompts, plugin

from redmine_mcp_core import PluginMetrics


def test_a_prompt_is_measured() -> None:
    """In bytes, without what the person typed, so that a budget can be judged."""
    registry = CollectorRegistry()
    plugin.register_metrics(PluginMetrics("prompts", registry))

    text = briefing("Do.", Section("Rows", ["é" * 100]), after="typed")

    name = "redmine_mcp_plugin_prompts_prompt_bytes"
    assert registry.get_sample_value(f"{name}_count") == 1
    assert registry.get_sample_value(f"{name}_sum") == len(text.encode()) - len("\n\ntyped")


def test_without_metrics_a_prompt_is_the_same() -> None:
    """A host that collects none calls the plugin all the same."""
    assert Prompts().measured("text") == "text"
