"""Listening on a port: the server itself, and the demo with a sandbox Redmine beside it."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console

from redmine_mcp_core.clients.greeting import greeting
from redmine_mcp_core.demo import DemoAccount
from redmine_mcp_core.edge.stopping import CalmServer
from redmine_mcp_core.edge.tls import CannotUse, Tls
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.settings import Settings, SettingsError, load_settings
from redmine_mcp_core.several import Served, in_common, open_each

COLLECT_AFTER = 5_000
"""Objects that are made and not freed until the garbage collector looks for circles.

Some twenty calls make as many. A look takes 3 ms then; after ten times as many objects it is as
rare, costs as much in all, and holds up a call for 25 ms (``benchmarks/soak.py``).
"""
CUT = 1
"""The exit code of a server that was told twice to stop, and did not let its requests end."""


async def serve(each: Mapping[str, Settings], out: Console) -> int:
    """Serve each Redmine in this process until told to stop; the exit code.

    Raises ``SettingsError`` before anything listens.
    """
    return await _serve(each, Metrics(), out)


async def serve_demo(out: Console, *, store_url: str) -> int:
    """Serve the Redmine that a plugin offers, on the port above ours or any free one."""
    metrics = Metrics()
    plugins = discover_plugins(metrics)
    offer = plugins.demo()
    if offer is None:
        raise SettingsError(["The demo needs a Redmine to show: pip install redmine-mcp-sandbox"])
    sandbox_socket = _bind_near(int(os.environ.get("MCP_PORT") or 8000) + 1)
    redmine_url = f"http://127.0.0.1:{sandbox_socket.getsockname()[1]}"
    settings = load_settings(
        redmine_url=redmine_url,
        redmine_client_id=offer.client_id,
        redmine_client_secret=offer.client_secret,
        # Those of a .env file here are about another server.
        mcp_public_url=None,
        mcp_sign_in=["oauth"],
        token_store_url=os.environ.get("TOKEN_STORE_URL") or store_url,
    )
    # It handles no signals: it ends after the main server.
    sandbox = CalmServer(offer.create_app(redmine_url), lifespan="off")
    serving = asyncio.create_task(sandbox.serve(sockets=[sandbox_socket]))
    try:
        return await _serve({"": settings}, metrics, out, plugins, offer.accounts)
    finally:
        sandbox.end()
        await serving


async def _serve(
    each: Mapping[str, Settings],
    metrics: Metrics,
    out: Console,
    plugins: Plugins | None = None,
    accounts: Sequence[DemoAccount] = (),
) -> int:
    settings = in_common(each)

    def greet() -> None:
        for line in greeting(each, accounts):
            out.print(line, highlight=False, soft_wrap=True)

    async with open_each(each, metrics, plugins) as served:
        with ExitStack() as stack:
            listener = bind(settings.mcp_host, settings.mcp_port)
            stack.enter_context(metrics_port(settings, metrics))
            server = server_for(served, each, on_started=greet)

            def stop_or_cut(drain: float) -> None:
                server.cut() if server.ending else server.end(drain)

            # A person at a terminal waits for it; a load balancer sends SIGTERM.
            server.handle("SIGINT", lambda: stop_or_cut(0))
            server.handle("SIGTERM", lambda: stop_or_cut(settings.mcp_drain_seconds))
            await server.serve(sockets=[listener])
    log.info("stopped")
    return CUT if server.was_cut else 0


def server_for(
    served: Served, each: Mapping[str, Settings], *, on_started: Callable[[], None]
) -> CalmServer:
    """The server of an app: it reads its certificate again at SIGHUP. The caller adds what makes
    it stop. Raises ``SettingsError`` for a certificate that cannot be served with."""
    settings = in_common(each)
    tls = _tls(settings)

    def draining(seconds: float) -> None:
        served.readiness.draining = True
        log.info("stopping", drain=seconds)

    def started() -> None:
        for one in each.values():
            log.info("serving", url=one.public_url, redmine=one.redmine_url)
        _spare_the_collector()
        on_started()

    server = CalmServer(
        served.app,
        grace=settings.mcp_grace_seconds,
        on_started=started,
        on_ending=draining,
        lifespan="on",
        # Connections; ``edge/overload.py`` refuses what comes on one more.
        limit_concurrency=2 * settings.mcp_max_requests,
        ssl_context_factory=(lambda *_: tls.context) if tls else None,
    )
    server.handle("SIGHUP", tls.reload if tls else lambda: None)
    return server


def _spare_the_collector() -> None:
    """Keep the garbage collector from walking, again and again, what stays as long as the process.

    Each of its walks holds up the calls under way.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _tls(settings: Settings) -> Tls | None:
    if not (settings.mcp_tls_cert and settings.mcp_tls_key):
        return None
    try:
        return Tls(settings.mcp_tls_cert, settings.mcp_tls_key)
    except CannotUse as error:
        raise SettingsError([str(error)]) from error


@contextmanager
def metrics_port(settings: Settings, metrics: Metrics) -> Iterator[None]:
    """Serve the metrics on the port of their own, where the settings name one."""
    if settings.mcp_metrics_port is None:
        yield
        return
    with ExitStack() as stack:
        host, port = settings.mcp_metrics_host, settings.mcp_metrics_port
        try:
            stack.enter_context(metrics.served(host, port))
        except OSError as error:
            raise _cannot_listen("MCP_METRICS_PORT", host, port, error) from error
        yield


def bind(host: str, port: int) -> socket.socket:
    """A socket at this address. It listens once a server takes it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where the protocol is named does asyncio switch Nagle's algorithm off; with it on, an
    # answer in two parts waits 40 ms for the client's acknowledgement of the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _cannot_listen("MCP_PORT", host, port, error) from error
    return listener


def _cannot_listen(setting: str, host: str, port: int, error: OSError) -> SettingsError:
    return SettingsError(
        [f"{setting}: cannot listen on {host}:{port} ({error.strerror}). Set another one."]
    )


def _bind_near(port: int) -> socket.socket:
    try:
        return bind("127.0.0.1", port)
    except SettingsError:
        return bind("127.0.0.1", 0)
