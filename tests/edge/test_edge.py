"""The smaller layers: careful headers, overload, time limits, readiness, TLS."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from redmine_mcp_core.edge.headers import SecurityHeaders
from redmine_mcp_core.edge.networks import Networks
from redmine_mcp_core.edge.overload import Overload
from redmine_mcp_core.edge.readiness import READY_SECONDS, Operators, Readiness, ready
from redmine_mcp_core.edge.tls import CannotUse, Tls
from redmine_mcp_core.observability.health import HealthReport
from redmine_mcp_core.serving import bind
from tests.edge.asgi import echo, http_to
from tests.support.certificates import Authority


@pytest.mark.parametrize("https", [False, True])
async def test_whatever_leaves_is_careful(https: bool) -> None:
    """Browsers guess no types, frame nothing, keep nothing; with https they stay with it."""
    async with http_to(SecurityHeaders(echo, https=https)) as http:
        headers = (await http.get("/")).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert ("Strict-Transport-Security" in headers) is https


async def test_a_page_that_knows_better_keeps_its_headers() -> None:
    """Metadata that may be kept for an hour says so."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse({}, headers={"Cache-Control": "max-age=3600"})(scope, receive, send)

    async with http_to(SecurityHeaders(app, https=True)) as http:
        answer = await http.get("/")

    assert answer.headers.get_list("Cache-Control") == ["max-age=3600"]


class Slow:
    """An app whose requests wait until they are let go."""

    def __init__(self) -> None:
        self.under_way = asyncio.Semaphore(0)
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            self.under_way.release()
            await self.let_go.wait()
        await echo(scope, receive, send)


async def test_too_many_requests_at_a_time_are_told_to_come_back() -> None:
    """With 503 and Retry-After; probes are answered all the same, and places become free."""
    slow = Slow()
    async with http_to(Overload(slow, at_once=2, seconds=60)) as http:
        tasks = [asyncio.create_task(http.get("/slow")) for _ in range(2)]
        for _ in tasks:
            await slow.under_way.acquire()
        refused = await http.get("/other")
        probe = await http.get("/health")
        slow.let_go.set()
        answers = await asyncio.gather(*tasks)
        later = await http.get("/other")

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert {200} == {answer.status_code for answer in [probe, *answers, later]}


async def test_a_request_that_takes_too_long_is_given_up() -> None:
    """With 504 where nothing was answered yet, and its place becomes free."""
    slow = Slow()
    async with http_to(Overload(slow, at_once=1, seconds=0.01)) as http:
        given_up = await http.get("/slow")
        later = await http.get("/other")

    assert (given_up.status_code, later.status_code) == (504, 200)


async def test_an_answer_that_never_ends_is_cut() -> None:
    """What was begun cannot become a 504 any more: the server closes the connection."""

    async def endless(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await asyncio.get_running_loop().create_future()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await Overload(endless, at_once=1, seconds=0.01)({"type": "http", "path": "/"}, None, send)  # type: ignore[arg-type]

    assert sent == ["http.response.start"]


class Checks:
    """Health checks that can be held up, and are counted."""

    def __init__(self) -> None:
        self.rounds = 0
        self.healthy = True
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self) -> list[HealthReport]:
        self.rounds += 1
        self.begun.set()
        await self.let_go.wait()
        return [HealthReport("redmine", healthy=self.healthy, message="Redmine is away.")]


def readiness_app(readiness: Readiness) -> Starlette:
    operators = Operators(Networks(["127.0.0.0/8"]))
    endpoint = ready(readiness, operators, lambda: {"more": "told"})
    return Starlette(routes=[Route("/ready", endpoint)])


async def test_however_many_ask_one_round_of_checks_runs() -> None:
    """A hundred at once, and as many again within two seconds, cost Redmine one question."""
    checks = Checks()
    checks.let_go.clear()
    async with http_to(readiness_app(Readiness(checks))) as http:
        asking = [asyncio.create_task(http.get("/ready")) for _ in range(100)]
        await checks.begun.wait()
        asking.pop().cancel()  # the others do not wait for nothing because of that
        checks.let_go.set()
        answers = await asyncio.gather(*asking)
        answers += [await http.get("/ready") for _ in range(100)]

    assert {200} == {answer.status_code for answer in answers}
    assert checks.rounds == 1


async def test_a_round_of_checks_holds_for_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the next one who asks makes the next round."""
    checks = Checks()
    now = 100.0
    monkeypatch.setattr("redmine_mcp_core.edge.readiness.time.monotonic", lambda: now)
    readiness = Readiness(checks)
    await readiness.reports()
    checks.healthy = False
    now += READY_SECONDS
    kept = await readiness.reports()
    now += 0.1
    fresh = await readiness.reports()

    assert (kept[0].healthy, fresh[0].healthy, checks.rounds) == (True, False, 2)


async def test_a_check_that_fails_is_made_again() -> None:
    """An exception does not become the answer for ever."""
    rounds = []

    async def check() -> list[HealthReport]:
        rounds.append(1)
        if len(rounds) == 1:
            raise ValueError
        return []

    readiness = Readiness(check)
    with pytest.raises(ValueError):  # noqa: PT011
        await readiness.reports()

    assert await readiness.reports() == []


@pytest.mark.parametrize(("peer", "told"), [("127.0.0.1", True), ("203.0.113.9", False)])
async def test_details_are_for_operators(peer: str, told: bool) -> None:
    """Others learn whether it is ready, and not what is wrong."""
    checks = Checks()
    checks.healthy = False
    async with http_to(readiness_app(Readiness(checks)), peer=peer) as http:
        answer = await http.get("/ready")

    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert ("Redmine is away." in answer.text) is told
    assert ("more" in answer.json()) is told


async def test_who_is_told_to_stop_is_not_ready() -> None:
    """Whatever the checks say."""
    readiness = Readiness(Checks())
    readiness.draining = True
    async with http_to(readiness_app(readiness)) as http:
        answer = await http.get("/ready")

    assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})


# -- TLS ---------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return Authority().write(tmp_path)


def test_a_pair_is_loaded(files: tuple[Path, Path]) -> None:
    """And nothing older than TLS 1.2 is spoken."""
    assert Tls(*files).context.minimum_version.name == "TLSv1_2"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("another key", "does not belong to the certificate"),
        ("no pem", "must hold a certificate and its key as PEM"),
        ("missing", "cannot both be read"),
        ("encrypted", "is encrypted"),
    ],
)
def test_a_wrong_pair_is_told_in_a_sentence(
    files: tuple[Path, Path], tmp_path: Path, wrong: str, sentence: str
) -> None:
    """Which names the setting, and quotes nothing of the key."""
    certificate, key = files
    other = tmp_path / "other"
    other.mkdir()
    if wrong == "another key":
        _, key = Authority().write(other)
    elif wrong == "no pem":
        key.write_text("no key at all")
    elif wrong == "missing":
        key.unlink()
    else:
        certificate, key = Authority().write(other, password=b"hunter2hunter2")

    with pytest.raises(CannotUse, match=sentence) as refused:
        Tls(certificate, key)

    assert str(refused.value).startswith("MCP_TLS_")


# -- Listening ---------------------------------------------------------------------------------


async def test_an_answer_in_parts_does_not_wait() -> None:
    """Nagle's algorithm is off on what the server accepts: an event stream would wait 40 ms."""
    accepted: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(transport.get_extra_info("socket"))

    with bind("127.0.0.1", 0) as listener:
        server = await asyncio.get_running_loop().create_server(Protocol, sock=listener)
        _, writer = await asyncio.open_connection(*listener.getsockname())
        delayed = not (await accepted).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        server.close()

    assert not delayed
