"""The metrics of a plugin's own, under the plugin's name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]+")


class PluginMetrics:
    """Defines metrics called ``redmine_mcp_plugin_<plugin>_<name>``.

    What is returned is prometheus-client's. A label must have few values, and none that tells on
    anybody: no user, no issue, no address. Raises ``ValueError`` for a name that is taken.
    """

    def __init__(self, plugin: str, registry: CollectorRegistry) -> None:
        self._prefix = f"redmine_mcp_plugin_{_NOT_IN_NAMES.sub('_', plugin.lower())}_"
        self._registry = registry

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        """Something that only grows; shown with ``_total`` at the end."""
        return Counter(self._prefix + name, meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        """Something that goes up and down. Of several workers the largest value is shown."""
        return Gauge(
            self._prefix + name,
            meaning,
            labels,
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def histogram(
        self, name: str, meaning: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> Histogram:
        """How values are spread; ``buckets`` are their upper bounds."""
        return Histogram(
            self._prefix + name, meaning, labels, registry=self._registry, buckets=buckets
        )
