"""Where secrets and texts may be, and where they may not: every byte the server lets out is read.

Two wires remember all that passes: one between the clients and our server, one between our server
and Redmine. What is secret is taken from those wires, and looked for in what the server wrote.
"""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from redmine_mcp_sandbox.seed import load_seed
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.security.clumsy import CANARY, be_clumsy, clumsy_plugin
from tests.security.scene import PASSWORD, Scene, found_in
from tests.support.forms import Browser
from tests.support.processes import Process
from tests.support.relay import Relay
from tests.support.servers import Target, free_port, server_environment, serving
from tests.support.sign_in import (
    REDIRECT_URI,
    Tokens,
    authorize,
    pkce,
    redeem,
    refresh,
    register,
    sign_in,
    tokens_from,
)

FORGED_CODE = "a-code-that-redmine-never-issued"


@pytest.fixture
async def scene(redmine: Target, tmp_path: Path) -> AsyncIterator[Scene]:
    """A server that logs all it ever would, in front of each Redmine."""
    port, public, collector = free_port(), free_port(), free_port()
    spans = bytearray()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving(keeping(spans), collector))
        to_redmine = await stack.enter_async_context(Relay(redmine.url, free_port()))
        to_us = await stack.enter_async_context(Relay(f"http://127.0.0.1:{port}", public))
        environment = server_environment(
            replace(redmine, url=to_redmine.url),
            port,
            tmp_path / "tokens.sqlite3",
            MCP_PUBLIC_URL=to_us.url,
            MCP_LOG_LEVEL="debug",
            MCP_LOG_FORMAT="json",
            MCP_AUDIT_FILE=str(tmp_path / "audit.jsonl"),
            MCP_ACCESS_LOG="true",
            REDMINE_TIMEOUT="1",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector}",
            PYTHONPATH=str(clumsy_plugin(tmp_path / "clumsy")),
        )
        process = await stack.enter_async_context(
            Process(tmp_path / "process", environment, "serve")
        )
        await process.serves(to_us.url)
        yield Scene(to_us.url, redmine, to_redmine, to_us, process, tmp_path, spans)


def keeping(spans: bytearray) -> Starlette:
    """A collector of traces that keeps what comes, as it comes."""

    async def collect(request: Request) -> Response:
        spans.extend(await request.body())
        return Response(media_type="application/x-protobuf")

    return Starlette(routes=[Route("/v1/traces", collect, methods=["POST"])])


async def be_strange(scene: Scene) -> None:
    """Put secrets where they do not belong: into paths, queries, headers and bodies."""
    key = load_seed().users[0].api_key
    user = f"alice:{PASSWORD}"
    basic = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
    async with httpx.AsyncClient(base_url=scene.url) as http:
        await http.get(f"/{PASSWORD}/{key}", headers={"X-Redmine-API-Key": key})
        await http.get(f"/health?key={key}&password={PASSWORD}", headers=basic)
        await http.get("/ready", headers={"X-Request-Id": f"{PASSWORD} {key}", "Cookie": key})
        await http.post("/mcp", content=f"{{{key}", headers={**basic, "User-Agent": CANARY})
        await http.post("/token", data={"grant_type": CANARY, "code": key, "client_id": PASSWORD})
        await http.post("/register", json={"client_name": CANARY, "redirect_uris": [f"x:{key}"]})
        address = f"http://{user}@127.0.0.1/?key={key}"
        await http.get("/authorize", params={"client_id": CANARY, "redirect_uri": address})
        await http.get("/auth/callback", params={"error": CANARY, "state": key})


async def work(scene: Scene, tokens: Tokens) -> None:
    """Use everything, in both eras, rightly and wrongly."""
    for era in ("auto", "legacy"):
        async with Client(f"{scene.url}/mcp", auth=tokens.access, mode=era) as client:
            await client.list_tools()
            await client.call_tool("get_issue_details", {"issue_id": 1, "full_text": True})
            await client.call_tool("search_issues", {"query": "login page"})
            await client.read_resource("redmine://users/me")
            wrong: list[tuple[str, dict[str, Any]]] = [
                ("get_issue_details", {"issue_id": 999_999}),
                ("get_issue_details", {"issue_id": "Rework the login page"}),
                ("search_issues", {"query": "x", "project": "no-such-project"}),
                ("no_such_tool", {"text": "Rework the login page"}),
            ]
            for tool, arguments in wrong:
                with pytest.raises(ToolError):
                    await client.call_tool(tool, arguments)
    malformed = {"name": ["Rework the login page"], "arguments": "Rework the login page"}
    for version in ("2026-07-28", "2025-11-25"):
        answer = await bare_call(scene, tokens.access, "tools/call", malformed, version)
        assert "error" in answer.text


async def sign_in_wrongly(scene: Scene) -> None:
    """A wrong verifier, a wrong code, a code used twice, a refresh token used twice."""
    client_id = await register(scene.url)
    verifier, challenge = pkce()
    arrived = await authorize(scene.url, client_id, "alice", PASSWORD, challenge=challenge)
    code = arrived.params["code"]
    scene.ours |= {code, verifier}
    answers = [
        await redeem(scene.url, client_id, code, "wrong-" + verifier),
        await redeem(scene.url, client_id, code[:-1], verifier),
        await redeem(scene.url, client_id, code, verifier),
    ]
    assert [400 if a.status_code >= 400 else 200 for a in answers] == [400, 400, 200]
    old = scene.learn(tokens_from(answers[2], client_id))
    scene.learn(tokens_from(await refresh(scene.url, old), client_id))
    again = await refresh(scene.url, old)
    if again.status_code == 200:  # within the grace that a client on two machines needs
        scene.learn(tokens_from(again, client_id))
    unknown = Tokens(old.access, old.refresh[:-4], old.scopes, client_id)
    assert (await refresh(scene.url, unknown)).status_code >= 400
    # A code that comes twice also ends what it was redeemed for, so this comes last.
    assert (await redeem(scene.url, client_id, code, verifier)).status_code >= 400


async def be_refused(scene: Scene) -> None:
    """Deny on our page; and come back from Redmine with a code that it never issued."""
    begun = {
        "response_type": "code",
        "client_id": await register(scene.url),
        "redirect_uri": REDIRECT_URI,
        "code_challenge": pkce()[1],
        "code_challenge_method": "S256",
    }
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(str(httpx.URL(f"{scene.url}/authorize", params=begun)))
        await browser.submit(browser.form("csrf_token"), action="deny")
        assert browser.arrived
        assert browser.arrived.params["error"] == "access_denied"
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(str(httpx.URL(f"{scene.url}/authorize", params=begun)))
        txn_id = httpx.URL(browser.url).params["txn_id"]
        await browser.submit(browser.form("csrf_token"), action="approve")
        forged = {"code": FORGED_CODE, "state": txn_id}
        await browser.visit(str(httpx.URL(f"{scene.url}/auth/callback", params=forged)))
        assert browser.page.status_code >= 400
        assert "You are not signed in" in browser.page.text


async def be_revoked(scene: Scene, tokens: Tokens) -> None:
    """Redmine revokes all it issued to us: a call fails, and the next one is not let in."""
    credentials = (scene.target.client_id, scene.target.client_secret)
    async with httpx.AsyncClient(auth=credentials) as http:
        for token in scene.redmine_tokens:
            await http.post(f"{scene.target.url}/oauth/revoke", data={"token": token})
    async with Client(f"{scene.url}/mcp", auth=tokens.access) as client:
        with pytest.raises(ToolError, match="unauthorized"):
            await client.call_tool("get_issue_details", {"issue_id": 1})
    assert (await bare_call(scene, tokens.access)).status_code == 401
    assert (await bare_call(scene, tokens.refresh)).status_code == 401
    assert (await refresh(scene.url, tokens)).status_code >= 400


async def bare_call(
    scene: Scene,
    token: str,
    method: str = "tools/list",
    params: Any = None,
    version: str = "2025-11-25",
) -> httpx.Response:
    """One message without a client that would check it first."""
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{scene.url}/mcp",
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}},
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": version,
                "Mcp-Method": method,
            },
        )


async def test_nothing_leaks(scene: Scene) -> None:
    """Redmine's secrets leave the server for Redmine only; texts and tokens for their client only.

    Not in the log at its most talkative with all its tracebacks, not in the audit trail, not in
    the spans, not in the token store, not in /metrics or /ready.
    """
    tokens = scene.learn(await sign_in(scene.url))
    await work(scene, tokens)
    await be_clumsy(scene, tokens)
    await be_strange(scene)
    await sign_in_wrongly(scene)
    await be_refused(scene)
    await be_revoked(scene, tokens)
    async with httpx.AsyncClient() as http:
        public = [
            await http.get(f"{scene.url}{path}") for path in ("/metrics", "/ready", "/health")
        ]
    scene.process.send(signal.SIGTERM)
    database_of_a_running_server = scene.database
    await scene.process.exit_code()

    database = database_of_a_running_server + scene.database
    told_to_anybody = b"".join(answer.content for answer in public)
    told_to_clients = bytes(scene.to_us.answered)
    of_redmine, of_clients = scene.secrets_of_redmine, scene.secrets_of_clients
    words_of_a_stranger: dict[str, Iterable[str]] = {"words of a stranger": [CANARY]}
    for place in (scene.log, scene.audit, bytes(scene.spans), told_to_anybody):
        assert found_in(place, of_redmine, of_clients, words_of_a_stranger) == {}
    assert all(json.loads(line) for line in scene.process.stderr.splitlines()), "one stream of JSON"
    assert found_in(database, of_redmine, of_clients) == {}
    assert found_in(told_to_clients, of_redmine) == {}

    # The search finds what is there, so each place was reached and each kind of secret was used.
    assert of_clients.keys() == found_in(told_to_clients, of_clients).keys()
    assert {
        "Redmine's tokens",
        "Redmine's authorization codes",
        "the client secret",
    } <= found_in(bytes(scene.to_redmine.sent), of_redmine).keys()
    for place, words in (
        (scene.log, ['"event": "serving"', '"level": "debug"', "invalid_grant"]),
        (database, ["SQLite format 3"]),
        (scene.log, ['"event": "crashed"', "RuntimeError", "clumsy.py", '"event": "http_request"']),
        (scene.audit, ['"action": "signed_in"', '"tool": "fail"', '"reason": "internal"']),
        (bytes(scene.spans), ["tools/call get_issue_details", "GET issues", "internal"]),
        (told_to_anybody, ["redmine_mcp_tool_calls_total{"]),
    ):
        assert {"words": words} == found_in(place, {"words": words})
