"""Traces: one span per message and per request to Redmine, in one trace, and no text in any."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import fastmcp
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import ToolError
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from opentelemetry.util.re import parse_env_headers

from redmine_mcp_core.observability import traces
from redmine_mcp_core.observability.traces import tracing
from tests.support.logs import Stream
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import sign_in

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
TEXT = "Rework the login page"

ATTRIBUTES = {
    "mcp.method.name",
    "gen_ai.operation.name",
    "gen_ai.tool.name",
    "redmine_mcp.request_id",
    "http.request.method",
    "http.response.status_code",
    "redmine.endpoint",
    "error.type",
}
"""All that a span may hold; to add one is to think of what it tells."""


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Where an operator's spans go."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


@asynccontextmanager
async def signed_in(
    server: Running, mode: Any = "auto", headers: dict[str, str] | None = None
) -> AsyncIterator[Client[Any]]:
    tokens = await sign_in(server.url)
    headers = {"Authorization": f"Bearer {tokens.access}", **(headers or {})}
    transport = StreamableHttpTransport(f"{server.url}/mcp", headers=headers)
    async with Client(transport, mode=mode) as client:
        yield client


def spans_of(exporter: InMemorySpanExporter, kind: SpanKind) -> list[ReadableSpan]:
    """The spans of one kind; a client in this process makes some of its own, which are left out."""
    return [
        span
        for span in exporter.get_finished_spans()
        if span.kind is kind
        and span.instrumentation_scope
        and span.instrumentation_scope.name == traces.NAME
    ]


def call_of(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    (span,) = [span for span in spans_of(exporter, SpanKind.SERVER) if span.name == name]
    return span


def trace_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    return trace.format_trace_id(context.trace_id) if context else ""


def id_of(span: ReadableSpan) -> str:
    context = span.get_span_context()
    return trace.format_span_id(context.span_id) if context else ""


@pytest.mark.parametrize("mode", ["auto", "legacy"], ids=["modern", "handshake"])
async def test_a_call_and_its_requests_are_one_trace(
    sandbox: Target, exporter: InMemorySpanExporter, mode: Any
) -> None:
    """One span for the call, one for each question to Redmine below it, and Redmine knows too."""
    async with running_server(sandbox) as server, signed_in(server, mode) as client:
        exporter.clear()
        assert sandbox.sandbox
        sandbox.sandbox.requests.clear()
        await client.call_tool("get_issue_details", {"issue_id": 1})

    call = call_of(exporter, "tools/call get_issue_details")
    asked = [span for span in spans_of(exporter, SpanKind.CLIENT) if span.name == "GET issues"]
    assert asked
    for span in asked:
        assert span.parent
        assert trace.format_span_id(span.parent.span_id) == id_of(call)
        assert dict(span.attributes or {})["http.response.status_code"] == 200
    parents = {
        request.headers["traceparent"].rpartition("-")[0]
        for request in sandbox.sandbox.requests
        if request.path.startswith("/issues")
    }
    assert parents == {f"00-{trace_of(call)}-{id_of(span)}" for span in asked}


async def test_fastmcp_makes_no_second_span(
    sandbox: Target, exporter: InMemorySpanExporter
) -> None:
    """Its own would hold what ours must not, and every call would be there twice."""
    async with running_server(sandbox) as server, signed_in(server) as client:
        exporter.clear()
        await client.call_tool("get_issue_details", {"issue_id": 1})

    servers = [span for span in exporter.get_finished_spans() if span.kind is SpanKind.SERVER]
    assert [span.name for span in servers if "tools/call" in span.name] == [
        "tools/call get_issue_details"
    ]


@pytest.mark.parametrize("mode", ["auto", "legacy"], ids=["modern", "handshake"])
async def test_the_trace_of_the_http_request_goes_on(
    sandbox: Target, exporter: InMemorySpanExporter, mode: Any
) -> None:
    """W3C Trace Context in the header, as a proxy or a client sends it."""
    async with (
        running_server(sandbox) as server,
        signed_in(server, mode, {"traceparent": TRACEPARENT}) as client,
    ):
        await client.call_tool("get_issue_details", {"issue_id": 1})

    call = call_of(exporter, "tools/call get_issue_details")
    assert trace_of(call) == TRACE
    assert call.parent
    assert trace.format_span_id(call.parent.span_id) == PARENT


@pytest.mark.parametrize("mode", ["auto", "legacy"], ids=["modern", "handshake"])
async def test_the_trace_of_the_message_goes_on(
    sandbox: Target, exporter: InMemorySpanExporter, mode: Any
) -> None:
    """The same in the message's ``_meta`` (SEP-414), where there is no header."""
    async with running_server(sandbox) as server, signed_in(server, mode) as client:
        exporter.clear()
        meta = {"traceparent": TRACEPARENT}
        with pytest.MonkeyPatch.context() as patch:
            # The client in this process would put its own span there.
            patch.setattr(fastmcp.settings, "telemetry_mode", "propagation_only")
            await client.call_tool("get_issue_details", {"issue_id": 1}, meta=meta)

    assert trace_of(call_of(exporter, "tools/call get_issue_details")) == TRACE


STRANGE = {
    "traceparent": TRACEPARENT,
    "tracestate": f"shop={TEXT}",
    "baggage": f"user={TEXT.replace(' ', '%20')}",
}


@pytest.mark.parametrize("by", ["header", "message"])
async def test_of_a_strangers_trace_its_numbers_go_on(
    sandbox: Target, exporter: InMemorySpanExporter, by: str
) -> None:
    """``tracestate`` and baggage are texts: they stand in no span, and Redmine never sees them."""
    headers, meta = (STRANGE, None) if by == "header" else (None, STRANGE)
    async with running_server(sandbox) as server, signed_in(server, headers=headers) as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fastmcp.settings, "telemetry_mode", "propagation_only")
            await client.call_tool("get_issue_details", {"issue_id": 1}, meta=meta)

    call = call_of(exporter, "tools/call get_issue_details")
    assert trace_of(call) == TRACE
    assert not (call.get_span_context() or trace.INVALID_SPAN_CONTEXT).trace_state
    assert sandbox.sandbox
    assert {"tracestate", "baggage"}.isdisjoint(
        name for request in sandbox.sandbox.requests for name in request.headers
    )


def test_what_opentelemetry_quotes_is_hidden(
    stream: Stream, exporter: InMemorySpanExporter
) -> None:
    """It repeats what it cannot read: headers of strangers, and the operator's own with a key."""
    stream.configure("json")

    with tracing(), traces.continued_from({**STRANGE, "tracestate": "canary5678canary oops"}):
        traces.ended(traces.started("one", SpanKind.SERVER))
    parse_env_headers("x-team: canary1234canary")

    assert len(exporter.get_finished_spans()) == 1
    assert stream.lines[-1]["logger"] == "opentelemetry.util.re"
    assert "canary" not in stream.text


@pytest.mark.parametrize("users", [False, True])
async def test_a_span_holds_no_text_and_nobody(
    sandbox: Target, exporter: InMemorySpanExporter, users: bool
) -> None:
    """Neither of calls that work nor of those that do not; users' ids by setting."""
    async with (
        running_server(sandbox, mcp_trace_users=users) as server,
        signed_in(server) as client,
    ):
        await client.call_tool("search_issues", {"query": TEXT})
        await client.read_resource("redmine://users/me")
        for tool, arguments in (
            ("get_issue_details", {"issue_id": TEXT}),
            ("search_issues", {"query": "x", "project": TEXT}),
            ("get_issue_details", {"issue_id": 999_999}),
            (TEXT, {}),
        ):
            with pytest.raises(ToolError):
                await client.call_tool(tool, arguments)

    allowed = ATTRIBUTES | ({"enduser.id"} if users else set())
    ours = [*spans_of(exporter, SpanKind.SERVER), *spans_of(exporter, SpanKind.CLIENT)]
    named = {name for span in ours for name in span.attributes or ()}
    assert named <= allowed
    assert ("enduser.id" in named) == users
    everything = "".join(span.to_json() for span in ours)
    assert len(ours) > 10
    for secret in (TEXT, "alice", "Bearer", "999999", "127.0.0.1", "users/me"):
        assert secret not in everything
    for span in ours:
        assert span.events == ()
        assert span.status.description is None


async def test_an_error_is_a_code(sandbox: Target, exporter: InMemorySpanExporter) -> None:
    """The same as in the metrics and in the answer."""
    async with running_server(sandbox) as server, signed_in(server) as client:
        exporter.clear()
        with pytest.raises(ToolError):
            await client.call_tool("get_issue_details", {"issue_id": 999_999})

    call = json.loads(call_of(exporter, "tools/call get_issue_details").to_json())
    assert call["attributes"]["error.type"] == "not_found"
    assert call["status"] == {"status_code": "ERROR"}
    (asked,) = [span for span in spans_of(exporter, SpanKind.CLIENT) if span.name == "GET issues"]
    assert dict(asked.attributes or {})["http.response.status_code"] == 404


async def test_without_an_sdk_there_is_nothing(sandbox: Target) -> None:
    """No span, no header, and FastMCP does no work for them either."""
    async with running_server(sandbox) as server, signed_in(server) as client:
        assert fastmcp.settings.telemetry_mode == "off"
        await client.call_tool("get_issue_details", {"issue_id": 1})

    assert sandbox.sandbox
    assert not [one for one in sandbox.sandbox.requests if "traceparent" in one.headers]


def test_afterwards_all_is_as_before(exporter: InMemorySpanExporter) -> None:
    """A server that ends leaves nothing behind in its process."""
    before = fastmcp.settings.telemetry_mode
    with tracing():
        assert fastmcp.settings.telemetry_mode == "propagation_only"
        traces.ended(traces.started("one", SpanKind.CLIENT))
    traces.ended(traces.started("two", SpanKind.CLIENT))

    assert fastmcp.settings.telemetry_mode == before
    assert [span.name for span in exporter.get_finished_spans()] == ["one"]


def test_a_missing_package_is_named(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for traces and lacks what sends them is told so, and the server runs."""
    stream.configure("json")
    monkeypatch.setenv(traces.ENDPOINTS[1], "http://127.0.0.1:4318")
    monkeypatch.setattr(traces, "find_spec", lambda _: None)

    with tracing():
        pass

    (line,) = stream.lines
    assert line["event"] == "traces_not_sent"
    assert "redmine-mcp-core[otel]" in line["problem"]
