"""How a server ends: not ready first, then deaf, then done; and at once when it is told twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import pytest
from redmine_mcp_sandbox import Sandbox
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.processes import Process, answers_with, listens, until
from tests.support.servers import Target, free_port, server_environment, serving
from tests.support.sign_in import Tokens, refresh, sign_in

Era = Literal["auto", "legacy"]
PROTOCOLS: dict[Era, str] = {"auto": "2026-07-28", "legacy": "2025-11-25"}


class SlowRedmine:
    """A sandbox that keeps whoever asks for issue 1 waiting until it is let go."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/issues/1.json":
            self.asked.set()
            await self.let_go.wait()
        await self._app(scope, receive, send)


@dataclass(frozen=True)
class Place:
    """A server's place: in front of a Redmine that can be held up."""

    redmine: SlowRedmine
    target: Target
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def process(self, *arguments: str, **settings: str) -> Process:
        store = self.folder / "tokens.sqlite3"
        environment = server_environment(self.target, self.port, store, **settings)
        return Process(self.folder / "process", environment, "serve", *arguments)

    async def read_issue_1(self, tokens: Tokens, era: Era = "auto") -> httpx.Response:
        """The call of a client of that era, as one plain request."""
        params: dict[str, object] = {"name": "get_issue_details", "arguments": {"issue_id": 1}}
        version = PROTOCOLS[era]
        headers = {
            "Authorization": f"Bearer {tokens.access}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": version,
        }
        if era == "auto":
            headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "get_issue_details"}
            prefix = "io.modelcontextprotocol/"
            params["_meta"] = {
                f"{prefix}protocolVersion": version,
                f"{prefix}clientInfo": {"name": "test", "version": "1"},
                f"{prefix}clientCapabilities": {},
            }
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.post(f"{self.url}/mcp", json=call, headers=headers)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    port = free_port()
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    redmine = SlowRedmine(sandbox.app)
    async with serving(redmine, port):
        target = Target(
            f"http://127.0.0.1:{port}", sandbox.client_id, sandbox.client_secret, sandbox
        )
        yield Place(redmine, target, tmp_path, free_port())
        redmine.let_go.set()


@pytest.mark.parametrize(
    ("era", "mode", "workers"),
    [
        ("auto", "application/json", "1"),
        ("legacy", "text/event-stream", "1"),
        ("legacy", "text/event-stream", "2"),
    ],
)
async def test_not_ready_first_then_deaf_then_done(
    place: Place, era: Era, mode: str, workers: str
) -> None:
    """On SIGTERM ``/ready`` turns while calls are still taken; then nothing listens, and the call
    under way is answered, as one JSON or as an event stream; exit code 0."""
    async with place.process(MCP_DRAIN_SECONDS="1.5", MCP_WORKERS=workers) as process:
        await process.serves(place.url)
        tokens = await sign_in(place.url)
        call = asyncio.create_task(place.read_issue_1(tokens, era))
        await place.redmine.asked.wait()
        process.send(signal.SIGTERM)
        await until(lambda: answers_with(503, f"{place.url}/ready"))
        still_taken = await answers_with(200, f"{place.url}/health")
        await process.stops_listening(place.port)
        answered_too_early = call.done()
        place.redmine.let_go.set()
        answer = await call
        code = await process.exit_code()

    assert still_taken
    assert not answered_too_early
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(mode)
    assert "Rework the login page" in answer.text
    assert code == 0
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_the_grace_period_has_an_end(place: Place, workers: str) -> None:
    """A call that takes longer than that is cut, and the server ends all the same."""
    settings = {"MCP_DRAIN_SECONDS": "0", "MCP_GRACE_SECONDS": "1", "MCP_WORKERS": workers}
    async with place.process(**settings) as process:
        await process.serves(place.url)
        tokens = await sign_in(place.url)
        call = asyncio.create_task(place.read_issue_1(tokens))
        await place.redmine.asked.wait()
        process.send(signal.SIGTERM)
        code = await process.exit_code()
        (cut,) = await asyncio.gather(call, return_exceptions=True)

    assert isinstance(cut, httpx.HTTPError) or cut.status_code >= 500  # type: ignore[union-attr]
    assert code == 0


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, "1"), (signal.SIGTERM, "2")])
async def test_a_second_signal_ends_at_once(
    place: Place, number: signal.Signals, workers: str
) -> None:
    """Nobody waits for the call under way; the exit code tells that something was cut."""
    settings = {"MCP_DRAIN_SECONDS": "60", "MCP_GRACE_SECONDS": "600", "MCP_WORKERS": workers}
    async with place.process(**settings) as process:
        await process.serves(place.url)
        tokens = await sign_in(place.url)
        call = asyncio.create_task(place.read_issue_1(tokens))
        await place.redmine.asked.wait()
        process.send(number)
        await until(lambda: process.says("stopping"))
        process.send(number)
        code = await process.exit_code()
        (cut,) = await asyncio.gather(call, return_exceptions=True)

    assert isinstance(cut, httpx.HTTPError)
    assert code == 1
    assert not await listens(place.port)
    assert "Traceback" not in process.stderr


async def test_nothing_that_was_acknowledged_is_lost(place: Place) -> None:
    """Killed right after its answer, again and again: what the answer said is still so."""
    tokens = None
    for _ in range(3):
        async with place.process() as process:
            await process.serves(place.url)
            if tokens is None:
                tokens = await sign_in(place.url)
            else:
                answer = (await refresh(place.url, tokens)).json()
                tokens = Tokens(
                    answer["access_token"], answer["refresh_token"], [], tokens.client_id
                )
            process.send(signal.SIGKILL)
            assert await process.exit_code() == -signal.SIGKILL
    place.redmine.let_go.set()
    async with place.process() as process:
        await process.serves(place.url)
        assert tokens
        answer = await place.read_issue_1(tokens)
        again = await refresh(place.url, tokens)

    assert "Rework the login page" in answer.text
    assert again.status_code == 200
