"""Over the network: what is tried again and what never, deadlines, and what is told of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx
import pytest
from pytest_httpx import HTTPXMock

from redmine_mcp_core.redmine import (
    Credential,
    Gateway,
    Invalid,
    NotFound,
    RateLimited,
    RedmineError,
    ServerError,
    TimedOut,
    Unreachable,
    Unreadable,
)
from redmine_mcp_core.redmine.gateway import MAX_TRIES

URL = "https://redmine.example.com"
WRITES = ["POST", "PUT", "DELETE"]

Outcome = httpx.Response | Exception


class Script(httpx.AsyncBaseTransport):
    """A network that does as it is told: one outcome for each request, the last one for ever."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes: Sequence[Outcome] = outcomes
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        outcome = self.outcomes[min(len(self.seen), len(self.outcomes) - 1)]
        self.seen.append(request)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)


def ok() -> httpx.Response:
    return httpx.Response(200, json={"ok": 1})


def gateway(transport: httpx.AsyncBaseTransport, **options: Any) -> Gateway:
    return Gateway(URL, transport=transport, **{"backoff": 0.001, "deadline": 5.0, **options})


@pytest.mark.parametrize(
    "path",
    [
        "/issues.json",
        "issues.json",
        "//evil.example.com/issues.json",
        "@evil.example.com/issues.json",
        ":8443/issues.json",
        "https://evil.example.com/issues.json",
    ],
)
async def test_no_path_leads_away_from_redmine(path: str) -> None:
    """A credential goes to the Redmine it is for, at its address and below its path."""
    network = Script(ok())
    async with Gateway(f"{URL}/below", transport=network) as redmine:
        await redmine.request("GET", path, credential=Credential.api_key("secret"))

    (asked,) = network.seen
    assert asked.url.host == "redmine.example.com"
    assert asked.url.port is None
    assert asked.url.path.startswith("/below/")


REPEATABLE: list[Outcome] = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("no route"),
    httpx.PoolTimeout("busy"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("closed"),
    httpx.Response(429),
    httpx.Response(502),
    httpx.Response(503),
    httpx.Response(504),
]


@pytest.mark.parametrize("failure", REPEATABLE, ids=repr)
async def test_a_get_is_tried_again(failure: Outcome) -> None:
    """A reading that failed for a moment succeeds, and nobody hears of it."""
    network = Script(failure, ok())

    async with gateway(network) as redmine:
        answer = await redmine.request("GET", "/issues.json")

    assert answer == {"ok": 1}
    assert len(network.seen) == 2


@pytest.mark.parametrize("failure", REPEATABLE, ids=repr)
async def test_a_get_is_given_up_after_some_tries(failure: Outcome) -> None:
    """A Redmine in trouble is not asked for ever."""
    network = Script(failure)

    async with gateway(network) as redmine:
        with pytest.raises(RedmineError) as caught:
            await redmine.request("GET", "/issues.json")

    assert caught.value.retryable
    assert len(network.seen) == MAX_TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 501])
async def test_a_decided_answer_is_not_asked_for_again(status: int) -> None:
    """Where the same question has the same answer, it is put once."""
    network = Script(httpx.Response(status))

    async with gateway(network) as redmine:
        with pytest.raises(RedmineError):
            await redmine.request("GET", "/issues.json")

    assert len(network.seen) == 1


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadError("reset"),
        httpx.WriteError("broken pipe"),
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(502),
        httpx.Response(503),
        httpx.Response(504),
    ],
    ids=repr,
)
async def test_a_write_that_was_sent_is_never_sent_again(method: str, failure: Outcome) -> None:
    """Whatever comes of it, an issue is created once."""
    network = Script(failure, ok())

    async with gateway(network) as redmine:
        with pytest.raises(RedmineError):
            await redmine.request(method, "/issues.json", json={})

    assert len(network.seen) == 1


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), httpx.ConnectTimeout("no route"), httpx.PoolTimeout("busy")],
    ids=repr,
)
async def test_a_write_that_was_not_sent_is_tried_again(method: str, failure: Outcome) -> None:
    """Where no connection came about, nothing can have been done."""
    network = Script(failure, ok())

    async with gateway(network) as redmine:
        assert await redmine.request(method, "/issues.json", json={}) == {"ok": 1}

    assert len(network.seen) == 2


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), httpx.ReadError("reset")], ids=repr)
async def test_a_write_without_an_answer_may_have_been_done(method: str, failure: Outcome) -> None:
    """The error says to look first: it does not claim that nothing happened."""
    async with gateway(Script(failure)) as redmine:
        with pytest.raises(TimedOut, match="may still have done"):
            await redmine.request(method, "/issues.json", json={})


async def test_retry_after_is_honoured() -> None:
    """The wait is the one that the answer names, not ours."""
    network = Script(httpx.Response(429, headers={"Retry-After": "1"}), ok())

    async with gateway(network) as redmine:
        started = time.monotonic()
        await redmine.request("GET", "/issues.json")

    assert time.monotonic() - started >= 1.0


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """A proxy that says "in an hour" is told to the caller at once."""
    network = Script(httpx.Response(429, headers={"Retry-After": "3600"}))

    async with gateway(network) as redmine:
        started = time.monotonic()
        with pytest.raises(RateLimited) as caught:
            await redmine.request("GET", "/issues.json")

    assert time.monotonic() - started < 1.0
    assert caught.value.retry_after == 3600.0
    assert len(network.seen) == 1


async def test_the_deadline_spans_all_tries() -> None:
    """The second try may take what is left of the time, and not all of it anew."""

    class Slow(Script):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0.2)
            return await super().handle_async_request(request)

    network = Slow(httpx.Response(503), ok())

    async with gateway(network, deadline=1.0) as redmine:
        await redmine.request("GET", "/issues.json")
    first, second = (request.extensions["timeout"]["read"] for request in network.seen)

    assert first == pytest.approx(1.0, abs=0.05)
    assert second <= 0.8


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[Any], Any]]:
    """Serve raw connections on loopback."""
    servers: list[asyncio.Server] = []
    connections: list[asyncio.Task[None] | None] = []

    async def start(handle: Any) -> str:
        async def handle_and_close(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            connections.append(asyncio.current_task())
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handle(reader, writer)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

        server = await asyncio.start_server(handle_and_close, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()
    await asyncio.gather(*filter(None, connections))


async def test_an_answer_that_never_ends_is_cut_at_the_deadline(listen: Any) -> None:
    """A byte now and then does not keep a caller waiting beyond the deadline."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with Gateway(await listen(drip), deadline=0.4, backoff=0.001) as redmine:
        started = time.monotonic()
        with pytest.raises(TimedOut):
            await asyncio.wait_for(redmine.request("GET", "/issues.json"), 3)

    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_answer_is_a_time_out(listen: Any, method: str) -> None:
    """A Redmine that takes the question and says nothing is given up at the deadline, once."""
    taken = 0

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        await reader.read()

    async with Gateway(await listen(silent), deadline=0.2, backoff=0.001) as redmine:
        with pytest.raises(TimedOut):
            await redmine.request(method, "/issues.json")

    assert taken == 1


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection is told as such."""
    async with Gateway("http://127.0.0.1:1", deadline=2, backoff=0.001) as redmine:
        with pytest.raises(Unreachable):
            await redmine.request("GET", "/issues.json")


async def test_a_request_may_have_a_deadline_of_its_own() -> None:
    """A readiness probe does not wait as long as a tool."""
    network = Script(ok())

    async with gateway(network) as redmine:
        await redmine.request("GET", "/oauth/token/info", deadline=0.5)

    assert network.seen[0].extensions["timeout"]["read"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>Sign in</html>"),
        httpx.Response(200, json=[1, 2]),
        httpx.Response(302, headers={"Location": "https://redmine.example.com/login"}),
    ],
    ids=["html", "list", "redirect"],
)
async def test_what_is_no_api_answer_is_unreadable(answer: httpx.Response) -> None:
    """A login page, a list, a redirect: not Redmine's API, asked once, and never followed."""
    network = Script(answer)

    async with gateway(network) as redmine:
        with pytest.raises(Unreadable):
            await redmine.request("GET", "/issues.json")

    assert len(network.seen) == 1


async def test_what_goes_over_the_wire(httpx_mock: HTTPXMock) -> None:
    """Path, query, body and credential arrive as given; the answer is the JSON object."""
    httpx_mock.add_response(
        url=f"{URL}/issues.json?include=journals%2Cchildren&limit=25",
        method="GET",
        match_headers={
            "Authorization": "Bearer t0ken",
            "Accept": "application/json",
            "User-Agent": "redmine-mcp",
        },
        json={"issues": []},
    )
    httpx_mock.add_response(
        url=f"{URL}/issues.json",
        method="POST",
        match_headers={"X-Redmine-API-Key": "k3y"},
        match_json={"issue": {"subject": "ü"}},
        status_code=201,
        json={"issue": {"id": 1}},
    )

    async with Gateway(f"{URL}/") as redmine:
        found = await redmine.request(
            "GET",
            "/issues.json",
            credential=Credential.bearer("t0ken"),
            params={"include": ["journals", "children"], "limit": 25, "offset": None},
        )
        made = await redmine.request(
            "POST",
            "/issues.json",
            credential=Credential.api_key("k3y"),
            json={"issue": {"subject": "ü"}},
        )

    assert found == {"issues": []}
    assert made == {"issue": {"id": 1}}


async def test_a_redmine_below_a_path(httpx_mock: HTTPXMock) -> None:
    """A Redmine at https://host/redmine is asked there and not at the root."""
    httpx_mock.add_response(url=f"{URL}/redmine/issues.json", json={})

    async with Gateway(f"{URL}/redmine") as redmine:
        assert await redmine.request("GET", "/issues.json") == {}


async def test_many_questions_share_one_connection(listen: Any) -> None:
    """Connections are kept: no question pays for a new one."""
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()

    async with Gateway(await listen(answer)) as redmine:
        for credential in (None, Credential.bearer("one"), Credential.api_key("two")):
            await redmine.request("GET", "/trackers.json", credential=credential)

    assert connections == 1


@pytest.mark.parametrize("make", [Credential.bearer, Credential.api_key])
def test_a_credential_shows_nothing(make: Callable[[str], Credential]) -> None:
    """Neither a log line nor a traceback can show one by accident."""
    credential = make("s3cret-canary")

    assert "s3cret-canary" not in repr(credential)
    assert "s3cret-canary" not in str(credential)
    assert "s3cret-canary" in credential.value


class Seen:
    """One observed request, and how it ended."""

    def __init__(self, method: str, path: str, kept: list[Seen]) -> None:
        self.headers = {"X-Request-Id": "request-4711"}
        self.told: tuple[str, str, str, int | None] = (method, path, "", None)
        kept.append(self)

    def end(self, outcome: str, status: int | None) -> None:
        self.told = (*self.told[:2], outcome, status)


async def test_what_the_observer_sends_along_goes_with_each_request() -> None:
    """So that it is found again in Redmine's own log."""
    script = Script(ok())

    async with gateway(script, observe=lambda method, path: Seen(method, path, [])) as redmine:
        await redmine.request("GET", "/issues.json")

    assert script.seen[-1].headers["x-request-id"] == "request-4711"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/issues/4711.json", "/issues/:id.json"),
        ("/issues/12/relations.json", "/issues/:id/relations.json"),
        ("/users/5.json", "/users/:id.json"),
        ("/search.json", "/search.json"),
    ],
)
async def test_the_observer_sees_no_id_and_no_query(path: str, shown: str) -> None:
    """Who reads the metrics does not learn who reads which issue."""
    seen: list[Seen] = []

    async with gateway(
        Script(ok()), observe=lambda method, path: Seen(method, path, seen)
    ) as redmine:
        await redmine.request("GET", path, params={"q": "salary"})

    assert [("GET", shown, "ok", 200)] == [one.told for one in seen]


@pytest.mark.parametrize(
    ("outcomes", "error", "told"),
    [
        ([httpx.Response(503), ok()], None, ["server_error", "ok"]),
        ([httpx.Response(404)], NotFound, ["not_found"]),
        ([httpx.Response(422)], Invalid, ["invalid"]),
        ([httpx.Response(500)], ServerError, ["server_error"]),
        ([httpx.ConnectError("refused"), ok()], None, ["unreachable", "ok"]),
        ([httpx.ReadTimeout("slow")], TimedOut, ["timed_out"]),
        ([httpx.ReadError("reset"), ok()], None, ["connection_lost", "ok"]),
    ],
    ids=str,
)
async def test_the_observer_is_told_of_each_try(
    outcomes: list[Outcome], error: type[RedmineError] | None, told: list[str]
) -> None:
    """Each request over the wire counts once, with how it ended and how long it took."""
    seen: list[Seen] = []

    async with gateway(
        Script(*outcomes), observe=lambda method, path: Seen(method, path, seen)
    ) as redmine:
        if error is None:
            await redmine.request("GET", "/issues.json")
        else:
            with pytest.raises(error):
                await redmine.request("GET", "/issues.json")

    assert told == [one.told[2] for one in seen]
    answers = [one.status_code if isinstance(one, httpx.Response) else None for one in outcomes]
    assert answers == [one.told[3] for one in seen]
