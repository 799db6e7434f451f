"""Every metric there is: what is counted, by what, and what it means.

The metrics are made from this table, and so is their table in ``docs/operations.md``. No label
holds a user, an issue, an address or anything else that somebody may choose freely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "redmine_mcp_"

Kind = Literal["counter", "gauge", "histogram"]
Mode = Literal["livemin", "livemax", "livemostrecent"]

CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From an answer out of a cache to the longest that Redmine may take."""
STORE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 5.0)
ANSWER_BYTES = (256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. On the wire a counter's name also ends in ``_total``."""

    name: str
    """Without the prefix."""
    kind: Kind
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    mode: Mode = "livemax"
    """How several workers' gauges become one."""

    @property
    def exposed(self) -> str:
        """The name as ``/metrics`` shows it."""
        return f"{PREFIX}{self.name}{'_total' if self.kind == 'counter' else ''}"


METRICS = (
    Metric("http_requests", "counter", ("route", "status"), "HTTP requests by route and status."),
    Metric(
        "http_request_seconds",
        "histogram",
        ("route",),
        "How long HTTP requests took, in seconds, to the last byte of the answer.",
        CALL_SECONDS,
    ),
    Metric(
        "tool_calls",
        "counter",
        ("tool", "outcome"),
        "Tool calls: ok, asked (the person is asked first), failed, refused. "
        "A tool that does not exist is called unknown.",
    ),
    Metric(
        "tool_call_seconds",
        "histogram",
        ("tool",),
        "How long tool calls took, in seconds.",
        CALL_SECONDS,
    ),
    Metric(
        "answer_bytes",
        "histogram",
        ("tool",),
        "Bytes of text that a tool's answer gives a model to read.",
        ANSWER_BYTES,
    ),
    Metric(
        "answer_tokens",
        "counter",
        ("tool",),
        "Tokens that models read of answers, estimated as a quarter of the bytes.",
    ),
    Metric(
        "redmine_requests",
        "counter",
        ("endpoint", "method", "status"),
        "Requests to Redmine, tries included, by class of status or by why there was none.",
    ),
    Metric(
        "redmine_request_seconds",
        "histogram",
        ("endpoint",),
        "How long requests to Redmine took, in seconds.",
        CALL_SECONDS,
    ),
    Metric(
        "redmine_circuit_open",
        "gauge",
        ("redmine",),
        "1 while Redmine is not asked because it has failed too often, by its name where there are "
        "several.",
    ),
    Metric(
        "cache_lookups",
        "counter",
        ("cache", "outcome"),
        "Look-ups in this process's caches: hit or miss.",
    ),
    Metric("sign_ins", "counter", ("outcome",), "Sign-ins: ok, denied by the person, failed."),
    Metric(
        "sessions",
        "gauge",
        ("redmine",),
        "Sign-ins that live at the moment, by the name of their Redmine where there are several. "
        "Each process counts those of all, about once a minute: take the largest, not the sum.",
        mode="livemostrecent",
    ),
    Metric(
        "sessions_ended",
        "counter",
        ("outcome",),
        "Sign-ins that were ended: signed_out by their user, revoked by somebody else. "
        "Those that expire are not counted.",
    ),
    Metric(
        "refreshes",
        "counter",
        ("outcome",),
        "Refreshes by clients: ok, failed, postponed (Redmine or the store was away), replayed.",
    ),
    Metric("limits_hit", "counter", ("limit",), "Requests turned away because of a limit."),
    Metric(
        "store_operations",
        "counter",
        ("operation", "outcome"),
        "Operations of the token store: ok, unavailable, error.",
    ),
    Metric(
        "store_operation_seconds",
        "histogram",
        ("operation",),
        "How long operations of the token store took, in seconds.",
        STORE_SECONDS,
    ),
    Metric("audit_failures", "counter", (), "Audit lines that could not be written."),
    Metric(
        "plugin_up",
        "gauge",
        ("plugin",),
        "1 for an installed plugin that works, 0 for one that was left out.",
        mode="livemin",
    ),
    Metric("build_info", "gauge", ("version", "fastmcp", "python"), "What runs here; always 1."),
)
