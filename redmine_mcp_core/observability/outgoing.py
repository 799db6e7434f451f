"""A request to Redmine as operators see it: counted, timed, traced, and under the request's id."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from opentelemetry.trace import SpanKind

from redmine_mcp_core.observability import traces
from redmine_mcp_core.observability.correlation import REQUEST_ID_HEADER, current_request_id
from redmine_mcp_core.observability.metrics import OTHER, Metrics

_PATH = re.compile(r"/(?P<area>oauth/token/info|oauth/[a-z]+|[a-z_]+)(?:[./]|\Z)")
_ENDPOINTS = frozenset(
    """
    oauth/token oauth/token/info oauth/revoke
    issues projects search users my trackers issue_statuses enumerations time_entries attachments
    uploads versions memberships queries news files relations journals groups roles
    issue_categories custom_fields watchers
    """.split()
)
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def endpoint_class(path: str) -> str:
    """Which part of Redmine's API a path belongs to: one of a fixed few, never an id or a name."""
    match = _PATH.match(path)
    return match["area"] if match and match["area"] in _ENDPOINTS else OTHER


def status_class(status: int | None, outcome: str) -> str:
    """``2xx`` to ``5xx``; where no answer came, the code of what happened instead."""
    return outcome if status is None else f"{status // 100}xx"


class OutgoingRequest:
    """One try of a request to Redmine, from its first byte to the last of its answer."""

    def __init__(self, metrics: Metrics, method: str, path: str) -> None:
        self._metrics = metrics
        self._method = method if method in _METHODS else OTHER
        self._endpoint = endpoint_class(path)
        self._started = time.monotonic()
        self.headers: dict[str, str] = {}
        """What goes with the request besides what it is about."""
        if request_id := current_request_id():
            self.headers[REQUEST_ID_HEADER] = request_id
        self._span = traces.started(
            f"{self._method} {self._endpoint}",
            SpanKind.CLIENT,
            {"http.request.method": self._method, "redmine.endpoint": self._endpoint},
        )
        traces.send_along(self._span, self.headers)

    def end(self, outcome: str, status: int | None) -> None:
        """``outcome`` is ``ok`` or an error's code; ``status`` is None where no answer came."""
        shown = status_class(status, outcome)
        self._metrics.inc("redmine_requests", self._endpoint, self._method, shown)
        seconds = time.monotonic() - self._started
        self._metrics.observe("redmine_request_seconds", seconds, self._endpoint)
        attributes = {"http.response.status_code": status} if status else {}
        traces.ended(self._span, None if outcome == "ok" else outcome, attributes)


def observed_by(metrics: Metrics) -> Callable[[str, str], OutgoingRequest]:
    """What the gateway calls at the start of each request: see ``redmine.gateway.Observe``."""
    return lambda method, path: OutgoingRequest(metrics, method, path)
