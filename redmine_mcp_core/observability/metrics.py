"""What ``/metrics`` shows: the table of metrics, brought to life.

With several workers (``PROMETHEUS_MULTIPROC_DIR`` is set before anything is imported) each writes
to files of its own, and whichever is asked adds them up.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)

from redmine_mcp_core.observability.metric_table import METRICS, PREFIX, Metric
from redmine_mcp_core.observability.plugin_metrics import PluginMetrics
from redmine_mcp_core.observability.worker_metrics import METRICS_DIR, WorkersCollector

MOST_SERIES = 500
"""How many combinations of labels a metric may have; those beyond are counted as ``other``."""
OTHER = "other"


class Metrics:
    """The server's metrics in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._series: dict[str, _Series] = {
            metric.name: _Series(metric, self._registry) for metric in METRICS
        }
        if not _several_workers():
            ProcessCollector(registry=self._registry)
        versions = version("redmine-mcp-core"), version("fastmcp"), platform.python_version()
        self.set("build_info", 1, *versions)

    def inc(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter of the table."""
        self._series[name].of(labels).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Put a value into a histogram of the table."""
        self._series[name].of(labels).observe(value)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge of the table."""
        self._series[name].of(labels).set(value)

    def of_plugin(self, plugin: str) -> PluginMetrics:
        """Where a plugin of this name defines metrics of its own."""
        return PluginMetrics(plugin, self._registry)

    @property
    def registry(self) -> CollectorRegistry:
        """What to show: this process's metrics or, with several workers, everybody's."""
        if not _several_workers():
            return self._registry
        registry = CollectorRegistry()
        WorkersCollector(registry)  # type: ignore[no-untyped-call]
        return registry

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    @contextmanager
    def served(self, host: str, port: int) -> Iterator[int]:
        """Serve them on a port of their own, from a thread; yields the port.

        Raises ``OSError`` if it cannot listen there.
        """
        server, thread = start_http_server(port, host, self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Series:
    """One metric with the label values it was given so far."""

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self._labels = metric.labels
        self._metric = _make(metric, registry)
        self._known: dict[Sequence[str], Any] = {}

    def of(self, labels: Sequence[str]) -> Any:
        known = self._known.get(labels)
        if known is not None:
            return known
        if self._labels and len(self._known) >= MOST_SERIES:
            return self._metric.labels(*(OTHER for _ in self._labels))
        known = self._metric.labels(*labels) if self._labels else self._metric
        self._known[labels] = known
        return known


def _make(metric: Metric, registry: CollectorRegistry) -> Any:
    name, labels = f"{PREFIX}{metric.name}", metric.labels
    match metric.kind:
        case "counter":
            return Counter(name, metric.help, labels, registry=registry)
        case "gauge":
            return Gauge(
                name, metric.help, labels, registry=registry, multiprocess_mode=metric.mode
            )
        case "histogram":
            return Histogram(name, metric.help, labels, registry=registry, buckets=metric.buckets)


def _several_workers() -> bool:
    return METRICS_DIR in os.environ
