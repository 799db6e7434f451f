"""The metrics of a plugin's own, under the plugin's name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]+")
_NAME = re.compile(r"[a-zA-Z0-9_]+")
"""What may follow our prefix (Prometheus, data model). Colons are for its recording rules, and
names in UTF-8, which prometheus-client lets pass, are not read by every Prometheus."""
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
"""Two underscores at the beginning are Prometheus's own (same place)."""


class PluginMetrics:
    """Defines metrics called ``redmine_mcp_plugin_<plugin>_<name>``.

    What is returned is prometheus-client's. A label must have few values, and none that tells on
    anybody: no user, no issue, no address. Raises ``ValueError`` for a name that is taken, or
    that Prometheus would not take.
    """

    def __init__(self, plugin: str, registry: CollectorRegistry) -> None:
        self._prefix = f"redmine_mcp_plugin_{_NOT_IN_NAMES.sub('_', plugin.lower())}_"
        self._registry = registry

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        """Something that only grows; shown with ``_total`` at the end."""
        return Counter(self._full(name, labels), meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        """Something that goes up and down. Of several workers the largest value is shown."""
        return Gauge(
            self._full(name, labels),
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
            self._full(name, labels), meaning, labels, registry=self._registry, buckets=buckets
        )

    def _full(self, name: str, labels: Sequence[str]) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"Call the metric “{name}” with letters, digits and underscores only.")
        for label in labels:
            if not _LABEL.fullmatch(label):
                raise ValueError(
                    f"Call the label “{label}” of {name} with letters, digits and underscores "
                    f"only, beginning with a letter."
                )
        return self._prefix + name
