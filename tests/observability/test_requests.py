"""One id through everything, and what a request leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import ToolError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from redmine_mcp_core import Redmine
from redmine_mcp_core.observability.correlation import accepted, current_request_id
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.observability.requests import ObservedRequests, on_failure
from tests.support.logs import Stream
from tests.support.servers import Running
from tests.support.sign_in import sign_in

SECRET = "a subject that nobody may read"


async def fine(_request: Request) -> Response:
    log.info("plugin_left_out")
    return PlainTextResponse(current_request_id() or "")


async def broken(_request: Request) -> Response:
    raise ValueError(SECRET)


@asynccontextmanager
async def observed(
    metrics: Metrics, *, access_log: bool = False
) -> AsyncIterator[httpx.AsyncClient]:
    routes = [Route("/health", fine), Route("/token", broken)]
    app = Starlette(routes=routes, exception_handlers={Exception: on_failure})
    middleware = ObservedRequests(app, metrics=metrics, access_log=access_log)
    transport = httpx.ASGITransport(middleware)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        yield http


@pytest.mark.parametrize(
    "given", ["a" * 8, "Zz09_-Zz09", "b" * 64, "0af7651916cd43dd8448eb211c80319c"]
)
def test_a_well_formed_id_is_taken_over(given: str) -> None:
    """So that the lines of a proxy in front and ours can be laid side by side."""
    assert accepted(given) == given


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "short",
        "a" * 65,
        "with space",
        "semi;colon",
        "new\nline1",
        "dotted.name",
        "ünïcode12",
    ],
)
def test_any_other_is_replaced(given: str | None) -> None:
    """It must not forge a log line, and what Redmine would strip is found in neither log."""
    assert accepted(given) != given


async def test_the_id_is_in_the_answer_and_in_the_log(stream: Stream) -> None:
    """The one that came with the request, in each line that it causes."""
    stream.configure("json")
    async with observed(Metrics()) as http:
        answer = await http.get("/health", headers={"X-Request-Id": "request-4711"})

    assert answer.headers["x-request-id"] == answer.text == "request-4711"
    assert [line["request_id"] for line in stream.lines] == ["request-4711"]


async def test_requests_at_the_same_time_keep_their_ids_apart(stream: Stream) -> None:
    """And outside of requests there is none."""
    stream.configure("json")
    async with observed(Metrics()) as http:
        ids = [f"request-{number}" for number in range(20)]
        answers = await asyncio.gather(
            *(http.get("/health", headers={"X-Request-Id": one}) for one in ids)
        )

    assert [answer.text for answer in answers] == ids
    assert sorted(line["request_id"] for line in stream.lines) == sorted(ids)
    assert current_request_id() is None


async def test_a_request_is_counted_by_route_and_status(stream: Stream) -> None:
    """Also one that failed, and one that nobody serves."""
    stream.configure("json")
    metrics = Metrics()
    async with observed(metrics) as http:
        for path in ("/health", "/token", "/nobody/knows/4711"):
            await http.get(path)

    shown = metrics.render().decode()
    for route, status in (("/health", 200), ("/token", 500), ("other", 404)):
        labels = f'route="{route}",status="{status}"'
        assert f"redmine_mcp_http_requests_total{{{labels}}} 1.0" in shown
    assert 'redmine_mcp_http_request_seconds_count{route="/health"} 1.0' in shown


async def test_a_failure_is_told_with_its_reference_and_nothing_else(stream: Stream) -> None:
    """The person gets the id, the log where it happened, and neither what was held there."""
    stream.configure("json")
    async with observed(Metrics()) as http:
        answer = await http.get("/token", headers={"X-Request-Id": "request-4711"})

    assert answer.status_code == 500
    assert "with the reference request-4711" in answer.json()["error_description"]
    (line,) = stream.lines
    assert line["event"] == "request_failed"
    assert "test_requests.py" in line["exception"]
    assert "ValueError" in line["exception"]
    assert SECRET not in answer.text + stream.text


async def test_what_fails_before_any_app_is_told_as_well(stream: Stream) -> None:
    """A layer round the app may fail too."""
    stream.configure("json")

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError(SECRET)

    middleware = ObservedRequests(app, metrics=Metrics(), access_log=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(middleware)) as http:
        answer = await http.get("http://here/mcp")

    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.json()["error_description"]
    assert SECRET not in answer.text + stream.text


@pytest.mark.parametrize(("access_log", "written"), [(True, 1), (False, 0)])
async def test_the_line_of_each_request_is_there_by_setting(
    stream: Stream, access_log: bool, written: int
) -> None:
    """It names the route and not the path, which may hold anything."""
    stream.configure("json")
    async with observed(Metrics(), access_log=access_log) as http:
        await http.get(f"/nobody/{SECRET}?code={SECRET}")

    assert len(stream.lines) == written
    for line in stream.lines:
        assert (line["event"], line["route"], line["status"]) == ("http_request", "other", 404)
        assert line["method"] == "GET"
        assert line["seconds"] >= 0
    assert "nobody" not in stream.text


@pytest.mark.parametrize("mode", ["auto", "legacy"], ids=["modern", "handshake"])
async def test_one_id_from_the_client_to_redmine(server: Running, mode: Any) -> None:
    """In both eras: what a client sends along with a call arrives with each question to Redmine."""
    tokens = await sign_in(server.url)
    sandbox = server.target.sandbox
    assert sandbox
    sandbox.requests.clear()

    transport_headers = {"X-Request-Id": "request-4711"}
    async with Client(transport(server, tokens.access, transport_headers), mode=mode) as client:
        await client.call_tool("get_issue_details", {"issue_id": 1})

    asked = [request for request in sandbox.requests if request.path == "/issues/1.json"]
    assert asked
    assert {request.headers["x-request-id"] for request in asked} == {"request-4711"}


@pytest.mark.parametrize("mode", ["auto", "legacy"], ids=["modern", "handshake"])
async def test_what_failed_inside_is_told_with_the_id(
    server: Running, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model reads the reference under which the operator finds the rest."""
    tokens = await sign_in(server.url)

    async def fail(*_: object, **__: object) -> None:
        raise KeyError(SECRET)

    monkeypatch.setattr(Redmine, "get", fail)
    headers = {"X-Request-Id": "request-4711"}
    async with Client(transport(server, tokens.access, headers), mode=mode) as client:
        with pytest.raises(ToolError) as caught:
            await client.call_tool("get_issue_details", {"issue_id": 1})

    assert "Tell its operator, with the reference request-4711. [internal]" in str(caught.value)
    assert SECRET not in str(caught.value)


def transport(server: Running, token: str, headers: dict[str, str]) -> Any:
    headers = {**headers, "Authorization": f"Bearer {token}"}
    return StreamableHttpTransport(f"{server.url}/mcp", headers=headers)
