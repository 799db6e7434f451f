"""What the host itself contributes, through the same door as every plugin."""

from __future__ import annotations

from collections.abc import Sequence

from redmine_mcp_core.components import API_VERSION, hookimpl
from redmine_mcp_core.events import Event, Refusal, ToolCall
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.redmine import MissingScope
from redmine_mcp_core.storage import TokenStoreBackend, memory_backend


class MemoryStore:
    """A token store that forgets when the server stops."""

    api_version = API_VERSION

    @hookimpl
    def register_token_stores(self) -> Sequence[TokenStoreBackend]:
        return [memory_backend]


class ScopeRule:
    """A sign-in may call what its scopes cover, whatever the user's role would allow.

    Redmine's own scopes are no complete fence, so this one stands in front of them.
    """

    api_version = API_VERSION

    @hookimpl
    def before_tool_call(self, call: ToolCall) -> None:
        missing = call.caller.missing(call.declaration.scopes)
        if missing:
            raise Refusal(str(MissingScope(missing)), code=MissingScope.code)


class EventCounter:
    """Counts what happens, for ``/metrics``."""

    api_version = API_VERSION

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @hookimpl
    def on_event(self, event: Event) -> None:
        self._metrics.count(event)


def builtin_plugins(metrics: Metrics) -> list[tuple[str, object]]:
    """The host's own plugins, by name."""
    return [
        ("memory_store", MemoryStore()),
        ("scope_rule", ScopeRule()),
        ("event_counter", EventCounter(metrics)),
    ]
