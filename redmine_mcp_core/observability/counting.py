"""Which metrics an event counts in."""

from __future__ import annotations

from redmine_mcp_core.events import Event, EventKind
from redmine_mcp_core.observability.metrics import Metrics

BYTES_PER_TOKEN = 4
"""An estimate: English text has about four bytes to a token, other languages and JSON fewer."""
UNKNOWN_TOOL = "unknown"

_TOOL_OUTCOMES = {
    EventKind.TOOL_CALLED: "ok",
    EventKind.TOOL_ASKED: "asked",
    EventKind.TOOL_FAILED: "failed",
    EventKind.TOOL_REFUSED: "refused",
}
_COUNTERS = {
    EventKind.SIGNED_IN: ("sign_ins", "ok"),
    EventKind.SIGN_IN_FAILED: ("sign_ins", "failed"),
    EventKind.SIGNED_OUT: ("sessions_ended", "signed_out"),
    EventKind.REVOKED: ("sessions_ended", "revoked"),
    EventKind.REFRESHED: ("refreshes", "ok"),
    EventKind.REFRESH_FAILED: ("refreshes", "failed"),
    EventKind.REFRESH_POSTPONED: ("refreshes", "postponed"),
    EventKind.REFRESH_REPLAYED: ("refreshes", "replayed"),
}


def count(metrics: Metrics, event: Event) -> None:
    """Count one event."""
    if outcome := _TOOL_OUTCOMES.get(event.kind):
        _count_call(metrics, event, outcome)
    elif event.kind is EventKind.LIMITED:
        metrics.inc("limits_hit", event.reason or "other")
    elif event.kind is EventKind.SIGN_IN_FAILED and event.reason == "denied":
        metrics.inc("sign_ins", "denied")
    else:
        metrics.inc(*_COUNTERS[event.kind])


def _count_call(metrics: Metrics, event: Event, outcome: str) -> None:
    tool = event.tool or UNKNOWN_TOOL
    metrics.inc("tool_calls", tool, outcome)
    if event.seconds is not None:
        metrics.observe("tool_call_seconds", event.seconds, tool)
    if event.size is not None:
        metrics.observe("answer_bytes", event.size, tool)
        metrics.inc("answer_tokens", tool, by=event.size / BYTES_PER_TOKEN)
