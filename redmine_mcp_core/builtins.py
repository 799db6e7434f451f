"""What the host itself contributes, through the same door as every plugin."""

from __future__ import annotations

from collections.abc import Sequence

from redmine_mcp_core.events import Event, Refusal, ToolCall
from redmine_mcp_core.observability.audit import Audit
from redmine_mcp_core.observability.counting import count
from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.redmine import Gateway, MissingScope, NotFound, RedmineError, Unauthorized
from redmine_mcp_core.storage import StoreError, TokenStore, TokenStoreBackend, memory_backend
from redmine_mcp_core.tools.components import API_VERSION, hookimpl

_HEALTH, _SAMPLE = "health", "sample"
PROBE_SECONDS = 3.0
"""How long Redmine may take to show that it is there."""


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
        if call.caller.read_only and not call.declaration.reads:
            raise Refusal(
                f"This account may only read, and {call.declaration.name} would change something.",
                code="read_only",
            )


class EventCounter:
    """Counts what happens, for ``/metrics``."""

    api_version = API_VERSION

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @hookimpl
    def on_event(self, event: Event) -> None:
        count(self._metrics, event)


class AuditTrail:
    """Writes down who changed what, and who signed in."""

    api_version = API_VERSION

    def __init__(self, audit: Audit, metrics: Metrics) -> None:
        self._audit = audit
        self._metrics = metrics

    @hookimpl
    def on_event(self, event: Event) -> None:
        try:
            self._audit.note(event)
        except OSError as error:
            self._metrics.inc("audit_failures")
            log.error("audit_failed", error=error.strerror)


class TokenStoreHealth:
    """Whether the token store can be read and written."""

    api_version = API_VERSION

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    @hookimpl
    async def check_health(self) -> HealthReport:
        try:
            await self._store.ping()
        except StoreError as error:
            return HealthReport("token_store", healthy=False, message=str(error))
        return HealthReport("token_store", healthy=True)


class KeysHealth:
    """Whether the keys of this server open what the token store holds, tried on one record."""

    api_version = API_VERSION

    def __init__(self, store: TokenStore) -> None:
        self._store = store

    @hookimpl
    async def check_health(self) -> HealthReport:
        message = ""
        try:
            if await self._store.get(_SAMPLE, collection=_HEALTH) is None:
                written = await self._store.set_if_absent(
                    _SAMPLE, {"opens": True}, collection=_HEALTH
                )
                if not written:
                    message = (
                        "The token store holds records that none of MCP_ENCRYPTION_KEYS opens: "
                        "put the key that they were encrypted with into the list again."
                    )
        except StoreError as error:
            message = str(error)
        return HealthReport("keys", healthy=not message, message=message)


class RedmineHealth:
    """Whether Redmine and its OAuth answer, asked without a token: 401 is the right answer."""

    api_version = API_VERSION

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @hookimpl
    async def check_health(self) -> HealthReport:
        message = ""
        try:
            await self._gateway.request("GET", "/oauth/token/info", deadline=PROBE_SECONDS)
        except Unauthorized:
            pass
        except NotFound:
            message = "Redmine answers, but without OAuth: it must be 6.1 or newer."
        except RedmineError as error:
            message = str(error)
        return HealthReport("redmine", healthy=not message, message=message)


def health_plugins(store: TokenStore, gateway: Gateway) -> list[tuple[str, object]]:
    """The host's own plugins that need what is open by now, by name."""
    return [
        ("token_store_health", TokenStoreHealth(store)),
        ("keys_health", KeysHealth(store)),
        ("redmine_health", RedmineHealth(gateway)),
    ]


def builtin_plugins(metrics: Metrics) -> list[tuple[str, object]]:
    """The host's own plugins, by name."""
    return [
        ("memory_store", MemoryStore()),
        ("scope_rule", ScopeRule()),
        ("event_counter", EventCounter(metrics)),
    ]
