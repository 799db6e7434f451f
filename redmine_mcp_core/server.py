"""From settings to a server, with everything it holds open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastmcp import FastMCP
from starlette.middleware import Middleware

from redmine_mcp_core.builtins import AuditTrail, health_plugins
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.mcp.building import build_mcp
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Selection
from redmine_mcp_core.observability.audit import Audit, Write, appending_to, to_log
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.observability.outgoing import observed_by
from redmine_mcp_core.observability.stores import observed_store
from redmine_mcp_core.observability.traces import tracing
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.redmine import Circuit, Gateway
from redmine_mcp_core.seams import UPSTREAM_TOKENS
from redmine_mcp_core.settings import Settings, SettingsError
from redmine_mcp_core.storage import (
    StoreError,
    TokenStore,
    counting,
    derive_keys,
    open_store,
    rotating,
)
from redmine_mcp_core.ways_in import ways_in

_HIT = {True: "hit", False: "miss"}


@dataclass(frozen=True, slots=True)
class Host:
    """A server with everything it holds open."""

    settings: Settings
    plugins: Plugins
    metrics: Metrics
    gateway: Gateway
    store: TokenStore
    mcp: FastMCP[Any]
    middleware: Sequence[Middleware] = ()
    """What each request passes once it is known whose it is."""


@asynccontextmanager
async def open_host(
    settings: Settings,
    plugins: Plugins,
    metrics: Metrics,
    *,
    name: str = "",
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Host]:
    """Open what the server needs and close it again; ``name`` is its Redmine's, of several.

    Raises ``SettingsError`` if a required plugin or the token store is not to be had. A Redmine
    that cannot be reached is no reason not to start.
    """
    if missing := plugins.missing(settings.mcp_required_plugins):
        raise SettingsError(
            [f"MCP_REQUIRED_PLUGINS: {name}: {reason}" for name, reason in missing.items()]
        )
    async with AsyncExitStack() as stack:
        stack.enter_context(tracing(users=settings.mcp_trace_users))
        plugins.add([("audit_trail", AuditTrail(Audit(_audit_to(settings, stack)), metrics))])
        try:
            backend = await stack.enter_async_context(
                open_store(settings.token_store_url, plugins.token_stores)
            )
        except StoreError as error:
            raise SettingsError([f"TOKEN_STORE_URL: {error}"]) from error
        gateway = await stack.enter_async_context(_gateway(settings, metrics, transport, name))
        sealed = encrypted(settings, backend)
        await stack.enter_async_context(rotating(backend, sealed))
        await stack.enter_async_context(
            counting(sealed, UPSTREAM_TOKENS, lambda held: metrics.set("sessions", held, name))
        )
        yield _assemble(settings, plugins, metrics, gateway, sealed)


def _gateway(
    settings: Settings, metrics: Metrics, transport: httpx.AsyncBaseTransport | None, name: str
) -> Gateway:
    def tell(circuit: Circuit) -> None:
        metrics.set("redmine_circuit_open", circuit is not Circuit.CLOSED, name)

    tell(Circuit.CLOSED)
    return Gateway(
        settings.redmine_url,
        deadline=settings.redmine_timeout,
        max_connections=settings.redmine_max_connections,
        max_per_caller=settings.redmine_max_per_user,
        transport=transport,
        observe=observed_by(metrics),
        on_circuit=tell,
        on_name=lambda kept: metrics.inc("cache_lookups", "names", _HIT[kept]),
    )


def _audit_to(settings: Settings, stack: AsyncExitStack) -> Write:
    if settings.mcp_audit_file is None:
        return to_log
    try:
        return stack.enter_context(appending_to(settings.mcp_audit_file))
    except OSError as error:
        raise SettingsError(
            [f"MCP_AUDIT_FILE: {settings.mcp_audit_file} cannot be written ({error.strerror})."]
        ) from error


def _assemble(
    settings: Settings,
    plugins: Plugins,
    metrics: Metrics,
    gateway: Gateway,
    sealed: TokenStore,
) -> Host:
    derived = derive_keys(settings.root_secret)
    store = observed_store(sealed, metrics)
    plugins.add(health_plugins(store, gateway))
    index = ComponentIndex(plugins.components)
    selection = Selection(tuple(settings.mcp_tools), settings.mcp_read_only)
    ways = ways_in(
        settings,
        gateway=gateway,
        store=store,
        jwt_signing_key=derived.signing,
        index=index,
        selection=selection,
        emit=plugins.emit,
    )
    mcp = build_mcp(
        plugins,
        index,
        ways.callers.identify,
        auth=ways.auth,
        selection=selection,
        request_state_key=derived.request_state,
    )
    return Host(settings, plugins, metrics, gateway, store, mcp, ways.middleware)
