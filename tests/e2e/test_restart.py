"""The server as a process: what it keeps when it dies, and how it ends when it is asked to."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from fastmcp import Client
from redmine_mcp_sandbox import Sandbox
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.support.processes import Process, answers_with, listens, until
from tests.support.servers import Target, free_port, server_environment, serving
from tests.support.sign_in import Tokens, refresh, sign_in, tokens_from

Era = Literal["auto", "legacy"]
ERAS: list[Era] = ["auto", "legacy"]
CUT_AFTER = 1.0
"""Seconds within which a server that cuts off its calls would do so (sse-starlette: 0.3)."""


@dataclass(frozen=True)
class Place:
    """Where a server runs, from one start to the next."""

    target: Target
    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serve(self, **settings: str) -> AsyncIterator[Process]:
        """``redmine-mcp serve``, over the same token store each time."""
        store = self.folder / "tokens.sqlite3"
        environment = server_environment(self.target, self.port, store, **settings)
        async with Process(self.folder / "process", environment, "serve") as process:
            await process.serves(self.url)
            yield process

    async def subject_of_issue_1(self, tokens: Tokens, era: Era = "auto") -> str:
        async with Client(f"{self.url}/mcp", auth=tokens.access, mode=era) as client:
            issue = await client.call_tool("get_issue_details", {"issue_id": 1})
        return str((issue.structured_content or {})["subject"])

    async def answer_to_a_call(self, tokens: Tokens) -> httpx.Response:
        """The bare HTTP answer that a client gets."""
        async with httpx.AsyncClient(timeout=30) as http:
            return await http.post(
                f"{self.url}/mcp",
                json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
                headers={
                    "Authorization": f"Bearer {tokens.access}",
                    "Accept": "application/json, text/event-stream",
                },
            )


@pytest.fixture
def place(sandbox: Target, tmp_path: Path) -> Place:
    return Place(sandbox, tmp_path)


async def test_a_killed_server_forgets_nobody(place: Place) -> None:
    """After kill -9 and a new start both tokens go on working, without a new sign-in."""
    async with place.serve() as process:
        tokens = await sign_in(place.url)
        assert await place.subject_of_issue_1(tokens) == "Rework the login page"
        process.send(signal.SIGKILL)
        assert await process.exit_code() == -signal.SIGKILL
    async with place.serve():
        subject = await place.subject_of_issue_1(tokens)
        renewed = tokens_from(await refresh(place.url, tokens), tokens.client_id)
        subject_with_renewed = await place.subject_of_issue_1(renewed)

    assert "Rework the login page" == subject == subject_with_renewed
    assert renewed.access != tokens.access


@dataclass
class SlowRedmine:
    """A sandbox that keeps whoever asks for issue 1 waiting until it is let go."""

    app: ASGIApp
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/issues/1.json":
            self.asked.set()
            await self.let_go.wait()
        await self.app(scope, receive, send)


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_in_flight_is_finished(tmp_path: Path, era: Era) -> None:
    """On SIGTERM the server takes no new calls, finishes those it has, and exits with 0."""
    port = free_port()
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    slow = SlowRedmine(sandbox.app)
    redmine = Target(f"http://127.0.0.1:{port}", sandbox.client_id, sandbox.client_secret, sandbox)
    place = Place(redmine, tmp_path)
    async with serving(slow, port), place.serve() as process:
        tokens = await sign_in(place.url)
        async with Client(f"{place.url}/mcp", auth=tokens.access, mode=era) as client:
            # The client would ask for the schema of the answer later, when nobody listens.
            await client.list_tools()
            call = asyncio.create_task(client.call_tool("get_issue_details", {"issue_id": 1}))
            await slow.asked.wait()
            process.send(signal.SIGTERM)
            await process.stops_listening(place.port)
            cut, _ = await asyncio.wait({call}, timeout=CUT_AFTER)
            assert not cut
            slow.let_go.set()
            issue = await call
        code = await process.exit_code()

    assert (issue.structured_content or {})["subject"] == "Rework the login page"
    assert code == 0
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_idle_server_ends_at_once(place: Place, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end an idle server without a traceback, and it says that it stopped."""
    async with place.serve() as process:
        await sign_in(place.url)
        process.send(number)

        assert await process.exit_code() == 0
        assert "Traceback" not in process.stderr
        assert "stopped" in process.stderr.splitlines()[-1]


async def test_a_redmine_that_comes_later(tmp_path: Path) -> None:
    """Without Redmine the server starts and says so; tokens survive, and work once it is back."""
    port = free_port()
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    redmine = Target(f"http://127.0.0.1:{port}", sandbox.client_id, sandbox.client_secret, sandbox)
    place = Place(redmine, tmp_path)
    async with serving(sandbox.app, port), place.serve():
        tokens = await sign_in(place.url)
    async with place.serve(REDMINE_TIMEOUT="1"), httpx.AsyncClient(timeout=30) as http:
        health = await http.get(f"{place.url}/health")
        not_ready = await http.get(f"{place.url}/ready")
        refused = await place.answer_to_a_call(tokens)
        async with serving(sandbox.app, port):
            subject = await place.subject_of_issue_1(tokens)
            await until(lambda: answers_with(200, f"{place.url}/ready"))

    assert health.status_code == 200
    assert not_ready.status_code == 503
    assert "Redmine cannot be reached" in not_ready.json()["checks"]["redmine"]
    assert not_ready.json()["checks"]["token_store"] == "ok"
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert "Redmine cannot be asked" in refused.json()["error_description"]
    assert subject == "Rework the login page"


async def test_demo(tmp_path: Path) -> None:
    """The demo tells what to paste into four clients and who can log in; and they can."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = server_environment(Target("", "", ""), port, tmp_path / "demo.sqlite3")
    for name in ("REDMINE_URL", "REDMINE_CLIENT_ID", "REDMINE_CLIENT_SECRET", "TOKEN_STORE_URL"):
        del environment[name]
    async with Process(tmp_path / "demo", environment, "demo") as process:
        await process.serves(url)
        said = process.stdout
        tokens = await sign_in(url, "bob")
        async with Client(f"{url}/mcp", auth=tokens.access) as client:
            me = await client.read_resource("redmine://users/me")
        process.send(signal.SIGINT)
        code = await process.exit_code()

    snippets = [
        json.loads(snippet) for snippet in re.findall(r"^  .*?(\{.*\})", said, re.MULTILINE)
    ]
    assert f"claude mcp add --transport http redmine {url}/mcp" in said
    address = f"{url}/mcp"
    bridged, *others = snippets
    assert bridged["mcpServers"]["redmine"]["args"] == ["connect", address]
    assert others == [
        {"name": "redmine", "type": "http", "url": address},
        {"mcpServers": {"redmine": {"url": address}}},
        {"context_servers": {"redmine": {"url": address}}},
    ]
    for login in ("alice", "bob", "carol"):
        assert re.search(rf"^  {login} +password1234 +\w", said, re.MULTILINE)
    assert json.loads(me[0].text)["login"] == "bob"
    assert code == 0
    assert "Traceback" not in process.stderr


async def exit_of_serve(folder: Path, environment: dict[str, str]) -> tuple[int, list[str]]:
    """How a server that must not start ends: its exit code and the lines on stderr."""
    async with Process(folder, environment, "serve") as process:
        code = await process.exit_code()
        assert "Traceback" not in process.stderr
        assert not process.stdout
        return code, process.stderr.splitlines()


WRONG: dict[str, dict[str, str | None]] = {
    "REDMINE_URL is not set": {"REDMINE_URL": None},
    "REDMINE_CLIENT_ID is not set": {"REDMINE_CLIENT_ID": None},
    "REDMINE_CLIENT_SECRET is shorter than 16 characters": {"REDMINE_CLIENT_SECRET": "short"},
    "MCP_PUBLIC_URL must be an https address": {"MCP_PUBLIC_URL": "http://mcp.example.com"},
    "MCP_LOG_LEVEL": {"MCP_LOG_LEVEL": "loud"},
}


async def test_wrong_settings_are_told_all_at_once(sandbox: Target, tmp_path: Path) -> None:
    """Every missing or wrong setting is a line on stderr; the code is 2, nothing ever listens."""
    port = free_port()
    environment: dict[str, Any] = server_environment(sandbox, port, tmp_path / "tokens.sqlite3")
    for wrong in WRONG.values():
        environment |= wrong
    environment = {name: value for name, value in environment.items() if value is not None}

    code, problems = await exit_of_serve(tmp_path / "process", environment)

    assert code == 2
    assert len(WRONG) == len(problems)
    for sentence in WRONG:
        assert any(sentence in problem for problem in problems), (sentence, problems)
    assert not any(word == "short" for problem in problems for word in problem.split())
    assert not await listens(port)


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("TOKEN_STORE_URL", "sqlite:////dev/null/tokens.sqlite3", "/dev/null/tokens.sqlite3"),
        ("TOKEN_STORE_URL", "postgres://alice:hunter2hunter2@db/tokens", "postgres: URLs"),
        ("MCP_REQUIRED_PLUGINS", "issues billing", "pip install redmine-mcp-billing"),
    ],
)
async def test_what_cannot_be_opened_is_named(
    sandbox: Target, tmp_path: Path, setting: str, value: str, sentence: str
) -> None:
    """A store or a plugin that is not to be had ends the start with one sentence and no secret."""
    port = free_port()
    environment = server_environment(sandbox, port, tmp_path / "tokens.sqlite3")

    code, problems = await exit_of_serve(tmp_path / "process", {**environment, setting: value})

    assert code == 2
    assert len(problems) == 1
    assert setting in problems[0]
    assert sentence in problems[0]
    assert "hunter2" not in problems[0]
    assert not await listens(port)


async def test_a_port_that_is_taken(place: Place) -> None:
    """A second server on the same port ends with a sentence that names the setting."""
    async with place.serve():
        store = place.folder / "another.sqlite3"
        environment = server_environment(place.target, place.port, store)
        code, problems = await exit_of_serve(place.folder / "second", environment)

    assert code == 2
    assert f"MCP_PORT: cannot listen on 127.0.0.1:{place.port}" in problems[-1]
