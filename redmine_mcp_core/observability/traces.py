"""Traces by OpenTelemetry, where its SDK is installed: a span per message and per Redmine request.

FastMCP would make a span per message too, but one that holds resource URIs, whatever tool name was
sent, the client's id and the text of every error. So it only passes the trace context on
(``propagation_only``), and the spans are ours: what they may hold is decided here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import fastmcp
from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from redmine_mcp_core.observability.correlation import current_request_id
from redmine_mcp_core.observability.logs import log

NAME = "redmine-mcp"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own settings: where one of them is set, traces are sent there."""

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

METHODS = frozenset(
    """
    initialize ping server/discover tools/list tools/call resources/list resources/read
    resources/templates/list resources/subscribe resources/unsubscribe prompts/list prompts/get
    completion/complete logging/setLevel subscriptions/listen tasks/get tasks/result tasks/list
    tasks/cancel
    """.split()
)
"""Of MCP; a method that somebody made up is a text."""
OTHER = "other"


class Traceparent(TraceContextTextMapPropagator):
    """W3C trace context without ``tracestate`` and baggage.

    Both are texts of whoever calls, signed in or not: they would stand in every span, and go on to
    Redmine. A ``traceparent`` holds two random numbers.
    """

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        named = getter.get(carrier, "traceparent")
        return super().extract({"traceparent": named} if named else {}, context)


_tracer: trace.Tracer | None = None
"""None while nobody would see a span, so that none is made."""
_with_users = False


@contextmanager
def tracing(*, users: bool = False) -> Iterator[None]:
    """Make spans while the block runs, if they go anywhere, and send the last ones at its end.

    They go to the provider that this process has already, else to the endpoint that OpenTelemetry's
    environment variables name. ``users`` puts the ids of Redmine users into them.
    """
    global _tracer, _with_users
    provider = trace.get_tracer_provider()
    own = None
    if isinstance(provider, trace.ProxyTracerProvider):
        own = _provider_of_the_environment()
        provider = own or provider
    before = _tracer, _with_users, fastmcp.settings.telemetry_mode
    propagator = propagate.get_global_textmap()
    _with_users = users
    on = not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)
    _tracer = provider.get_tracer(NAME, version("redmine-mcp-core")) if on else None
    fastmcp.settings.telemetry_mode = "propagation_only" if on else "off"
    # FastMCP reads a message's ``_meta`` by this one, and ours is that strict.
    propagate.set_global_textmap(Traceparent())
    try:
        yield
    finally:
        _tracer, _with_users, fastmcp.settings.telemetry_mode = before
        propagate.set_global_textmap(propagator)
        if own:
            own.shutdown()


def started(
    name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue] | None = None
) -> Span:
    """A new span below the present one; to be ended with ``ended``."""
    if _tracer is None:
        return INVALID_SPAN
    return _tracer.start_span(name, kind=kind, attributes=attributes)


def ended(
    span: Span, error: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
) -> None:
    """End a span. ``error`` is a stable code: no message and no traceback goes into a span."""
    if not span.is_recording():
        return
    span.set_attributes(attributes or {})
    if error:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


class Message:
    """The span of one MCP message; a failure is noted as a code."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._error: str | None = None

    def fail(self, code: str) -> None:
        self._error = code

    def end(self) -> None:
        ended(self._span, self._error)


@contextmanager
def message(method: str, *, tool: str | None, user_id: int | None) -> Iterator[Message]:
    """A span round the handling of one message; ``tool`` is None where there is no such tool."""
    if _tracer is None:
        yield Message(INVALID_SPAN)
        return
    method = method if method in METHODS else OTHER
    attributes: dict[str, AttributeValue] = {"mcp.method.name": method}
    if tool:
        attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    if request_id := current_request_id():
        attributes["redmine_mcp.request_id"] = request_id
    if _with_users and user_id is not None:
        attributes["enduser.id"] = str(user_id)
    span = started(f"{method} {tool}" if tool else method, SpanKind.SERVER, attributes)
    told = Message(span)
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield told
    finally:
        told.end()


def send_along(span: Span, headers: dict[str, str]) -> None:
    """Add the W3C trace context of this span to the headers of a request."""
    if _tracer is not None:
        propagate.inject(headers, trace.set_span_in_context(span))


@contextmanager
def continued_from(headers: Mapping[str, str]) -> Iterator[None]:
    """Within this block spans belong to the trace that a request's W3C headers name."""
    if _tracer is None or "traceparent" not in headers:
        yield
        return
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        with suppress(ValueError):  # the block ended in another task than it began in
            context.detach(token)


def _provider_of_the_environment() -> TracerProvider | None:
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return None
    if not find_spec("opentelemetry.exporter.otlp.proto.http"):
        log.warning("traces_not_sent", problem="pip install 'redmine-mcp-core[otel]'")
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {SERVICE_NAME: NAME}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
