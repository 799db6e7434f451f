"""What few servers do: streams that break, changes that are subscribed to, headers from arguments.

The server is a few lines here, so that it can misbehave as no framework lets it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from redmine_mcp_core.connect import Options
from redmine_mcp_core.connect.bridge import Bridge
from redmine_mcp_core.connect.http import open_client
from redmine_mcp_core.connect.remote import Remote
from redmine_mcp_core.connect.tools import Tools
from tests.connect.people import ENVELOPE
from tests.support.servers import free_port, serving

CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
SCHEMA = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
}


def event(message: Any, number: str | None = None, retry: int | None = None) -> str:
    lines = [f"id: {number}"] if number else []
    lines += [f"retry: {retry}"] if retry is not None else []
    return "\n".join([*lines, f"data: {json.dumps(message)}", "", ""])


def result(message: Any, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": value}


@dataclass
class Odd:
    """A server of one era, and what it was asked."""

    modern: bool
    asked: list[tuple[dict[str, Any], dict[str, str]]] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    aborted: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        response = self._get(request) if request.method == "GET" else await self._post(request)
        await response(scope, receive, send)

    def _get(self, request: Request) -> Response:
        if request.headers.get("last-event-id") == "7":
            answer = result({"id": 5}, {"content": [], "taken": "up again"})
            return StreamingResponse(iter([event(answer)]), media_type="text/event-stream")
        if self.modern:
            return Response(status_code=405)
        return StreamingResponse(_and_hold(event(CHANGED)), media_type="text/event-stream")

    async def _post(self, request: Request) -> Response:
        message = await request.json()
        headers = dict(request.headers)
        self.asked.append((message, headers))
        is_modern = "mcp-method" in headers
        if request.method == "DELETE" or "id" not in message:
            return Response(status_code=202)
        if is_modern != self.modern:
            return JSONResponse(_error(message, -32601), status_code=404)
        method = message["method"].replace("/", "_")
        answer: Response = getattr(self, method)(message, headers)
        return answer

    def server_discover(self, message: Any, _: Any) -> Response:
        told = {
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {"listChanged": True}},
        }
        return JSONResponse(result(message, told))

    def initialize(self, message: Any, _: Any) -> Response:
        told = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"resources": {"subscribe": True}},
            "serverInfo": {"name": "odd", "version": "1"},
        }
        return JSONResponse(result(message, told))

    def resources_subscribe(self, message: Any, _: Any) -> Response:
        self.subscriptions.append(message["params"])
        return JSONResponse(result(message, {}))

    def subscriptions_listen(self, message: Any, _: Any) -> Response:
        self.subscriptions.append(message["params"]["notifications"])
        acknowledged = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"}
        return StreamingResponse(
            _and_hold(event(acknowledged), event(CHANGED)), media_type="text/event-stream"
        )

    def tools_list(self, message: Any, _: Any) -> Response:
        return JSONResponse(result(message, {"tools": [{"name": "pick", "inputSchema": SCHEMA}]}))

    def tools_call(self, message: Any, headers: dict[str, str]) -> Response:
        match message["params"]["name"]:
            case "pick" if headers.get("mcp-param-region") != "north":
                return JSONResponse(_error(message, -32020), status_code=400)
            case "pick":
                return JSONResponse(result(message, {"content": []}))
            case "break":
                started = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
                one = event(started, number="7", retry=0)
                return StreamingResponse(iter([one]), media_type="text/event-stream")
            case "vanish":
                return StreamingResponse(iter([]), media_type="text/event-stream")
            case _:
                return StreamingResponse(self._until_aborted(), media_type="text/event-stream")

    async def _until_aborted(self) -> AsyncIterator[str]:
        try:
            yield event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
            await asyncio.Event().wait()
        finally:
            self.aborted.set()


async def _and_hold(*events: str) -> AsyncIterator[str]:
    for each in events:
        yield each
    await asyncio.Event().wait()


def _error(message: Any, code: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": "no"}}


@dataclass
class Client:
    """What a client on stdio does, without the pipes."""

    odd: Odd
    said: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    heard: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (message := await self.said.get()) is not None:
            yield message

    def say(self, method: str, request_id: Any = None, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.said.put_nowait(message | ({"id": request_id} if request_id is not None else {}))

    async def hears(self, method: str | None = None, request_id: Any = None) -> Any:
        async with asyncio.timeout(10):
            while True:
                message = await self.heard.get()
                if message.get("method") == method and message.get("id") == request_id:
                    return message


@asynccontextmanager
async def client_of(odd: Odd) -> AsyncIterator[Client]:
    port = free_port()
    options = Options(url=f"http://127.0.0.1:{port}/mcp")
    tools, client = Tools(), Client(odd)
    async with serving(odd, port), open_client(options, read_timeout=None) as http:
        bridge = Bridge(Remote(http, options.url, tools), tools, client.heard.put_nowait)
        running = asyncio.create_task(bridge.run(aiter(client)))
        yield client
        client.said.put_nowait(None)
        await running


@pytest.fixture
async def modern() -> AsyncIterator[Client]:
    async with client_of(Odd(modern=True)) as client:
        yield client


@pytest.fixture
async def handshake() -> AsyncIterator[Client]:
    async with client_of(Odd(modern=False)) as client:
        yield client


async def test_a_stream_that_breaks_is_taken_up_again(handshake: Client) -> None:
    """With ``Last-Event-ID``, after the pause that the server asked for."""
    handshake.say("tools/call", 5, name="break")

    assert (await handshake.hears(request_id=5))["result"]["taken"] == "up again"


async def test_a_stream_that_cannot_be_taken_up(handshake: Client) -> None:
    """The client is told, and does not wait for ever."""
    handshake.say("tools/call", 5, name="vanish")

    assert "broke off" in (await handshake.hears(request_id=5))["error"]["message"]


async def test_headers_from_arguments(modern: Client) -> None:
    """A call that needs an ``Mcp-Param`` header gets it from the list of tools."""
    arguments = {"region": "north"}
    modern.say("tools/call", 5, name="pick", arguments=arguments, _meta=ENVELOPE)

    assert "result" in await modern.hears(request_id=5)
    headers = modern.odd.asked[-1][1]
    assert headers["mcp-name"] == "pick"
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-protocol-version"] == "2026-07-28"


async def test_closing_the_answer_cancels(modern: Client) -> None:
    """Since 2026-07-28 there is no other way to tell a server."""
    modern.say("tools/call", 5, name="endless", _meta=ENVELOPE)
    await modern.hears("notifications/progress")
    modern.say("notifications/cancelled", requestId=5)

    async with asyncio.timeout(10):
        await modern.odd.aborted.wait()
    assert all(message["method"] != "notifications/cancelled" for message, _ in modern.odd.asked)


async def test_an_old_client_hears_of_changes(modern: Client) -> None:
    """What it takes for granted is subscribed to at a server of 2026-07-28."""
    modern.say("initialize", 1, protocolVersion="2025-06-18", clientInfo={}, capabilities={})
    opened = await modern.hears(request_id=1)
    modern.say("notifications/initialized")
    await modern.hears("notifications/tools/list_changed")
    modern.say("resources/subscribe", 2, uri="x:1")
    await modern.hears(request_id=2)
    await modern.hears("notifications/tools/list_changed")

    assert opened["result"]["protocolVersion"] == "2025-06-18"
    assert modern.odd.subscriptions == [
        {"toolsListChanged": True},
        {"toolsListChanged": True, "resourceSubscriptions": ["x:1"]},
    ]


async def test_a_new_client_hears_of_changes(handshake: Client) -> None:
    """What it subscribes to comes from the stream of a server of the handshake era."""
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["x:1"]}
    handshake.say("subscriptions/listen", "sub", notifications=wanted, _meta=ENVELOPE)
    acknowledged = await handshake.hears("notifications/subscriptions/acknowledged")
    changed = await handshake.hears("notifications/tools/list_changed")

    key = "io.modelcontextprotocol/subscriptionId"
    assert acknowledged["params"]["_meta"][key] == "sub"
    assert changed["params"]["_meta"][key] == "sub"
    assert handshake.odd.subscriptions == [{"uri": "x:1"}]


async def test_a_probe_is_answered_by_the_server(handshake: Client) -> None:
    """A client that knows both eras finds out by itself, and goes on as it likes."""
    handshake.say("server/discover", 1, _meta=ENVELOPE)

    assert (await handshake.hears(request_id=1))["error"]["code"] == -32601


async def test_a_server_that_cannot_be_asked() -> None:
    """Nothing is concluded about its era: it is asked again with the next request."""
    port, heard = free_port(), list[Any]()
    options, tools, asked = Options(url=f"http://127.0.0.1:{port}/mcp"), Tools(), list[str]()

    async def closed(scope: Any, receive: Any, send: Any) -> None:
        asked.append((await Request(scope, receive).json())["method"])
        await Response(status_code=403)(scope, receive, send)

    async def calls() -> AsyncIterator[Any]:
        for number in (1, 2):
            params = {"name": "pick", "_meta": ENVELOPE}
            yield {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}

    async with serving(closed, port), open_client(options) as http:
        await Bridge(Remote(http, options.url, tools), tools, heard.append).run(calls())

    assert ["does not accept" in answer["error"]["message"] for answer in heard] == [True, True]
    assert asked == ["server/discover"] * 2
