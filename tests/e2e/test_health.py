"""``/health`` and ``/ready``, the guard, and what the edge lets in, on a running server."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from redmine_mcp_core.edge.bodies import MAX_MCP_BODY
from tests.support.certificates import Authority
from tests.support.processes import Process, until
from tests.support.servers import Running, Target, free_port, running_server, server_environment

PAGE = "https://inspector.example.com"


@pytest.fixture
async def edge(sandbox: Target) -> AsyncIterator[Running]:
    """A server behind a proxy that it trusts, for clients that call it by a name of its own."""
    async with running_server(
        sandbox,
        mcp_public_url="https://mcp.example.com",
        mcp_allowed_hosts=["*.internal"],
        mcp_allowed_origins=[PAGE],
        mcp_trusted_proxies=["127.0.0.1"],
    ) as running:
        yield running


def client(server: Running, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30)


async def test_asking_often_costs_redmine_one_question(server: Running) -> None:
    """A hundred at once: one question to Redmine, by which it learns no secret."""
    sandbox = server.target.sandbox
    assert sandbox
    async with client(server) as http:
        answers = await asyncio.gather(*(http.get("/ready") for _ in range(100)))

    assert {200} == {answer.status_code for answer in answers}
    assert sandbox.hits("/oauth/token/info") == 1


async def test_the_operator_learns_what_is_checked(server: Running) -> None:
    """Store, keys, Redmine and its circuit, and the plugins that were left out."""
    async with client(server) as http:
        told = (await http.get("/ready")).json()

    assert told["status"] == "ready"
    assert {"token_store", "keys", "redmine"} <= set(told["checks"])
    assert told["redmine_circuit"] == "closed"
    assert told["plugins_left_out"] == {}


async def test_keys_that_do_not_open_the_store_are_told(sandbox: Target, tmp_path: Path) -> None:
    """A server with other encryption keys than the one before is not ready, and says why."""
    store = f"sqlite:///{tmp_path / 'tokens.sqlite3'}"
    answers = []
    for key in ("a" * 32, "b" * 32):
        async with (
            running_server(sandbox, token_store_url=store, mcp_encryption_keys=[key]) as running,
            client(running) as http,
        ):
            answers.append(await http.get("/ready"))

    assert [answer.status_code for answer in answers] == [200, 503]
    assert "none of MCP_ENCRYPTION_KEYS opens" in answers[1].json()["checks"]["keys"]


@pytest.mark.parametrize("kind", ["proxied", "spoofed"])
async def test_others_learn_no_details(edge: Running, server: Running, kind: str) -> None:
    """Neither a client behind a proxy, nor one that says it is somebody else."""
    running = edge if kind == "proxied" else server
    async with client(running, **{"X-Forwarded-For": "198.51.100.7"}) as http:
        ready = await http.get("/ready")
        metrics = await http.get("/metrics")
        health = await http.get("/health")

    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert metrics.status_code == 403
    assert (health.status_code, health.json()) == (200, {"status": "alive"})


async def test_probes_may_call_it_by_any_name(edge: Running) -> None:
    """A load balancer asks by the address; everything else must name the server."""
    async with client(edge, Host="10.1.2.3") as http:
        probes = [await http.get(path) for path in ("/health", "/ready")]
        others = [
            await http.post("/mcp", json={}),
            await http.get("/.well-known/oauth-authorization-server"),
        ]

    assert [answer.status_code for answer in probes] == [200, 200]
    assert [answer.status_code for answer in others] == [421, 421]


@pytest.mark.parametrize(
    ("host", "status"),
    [("mcp.example.com", 401), ("node-1.internal", 401), ("evil.example.com", 421)],
)
async def test_the_host_has_to_be_one_of_ours(edge: Running, host: str, status: int) -> None:
    """That of the public URL, and those of MCP_ALLOWED_HOSTS."""
    async with client(edge, Host=host) as http:
        assert (await http.post("/mcp", json={})).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://mcp.example.com", 401), (PAGE, 401), ("https://evil.example.com", 403)],
)
async def test_the_origin_has_to_be_one_of_ours(edge: Running, origin: str, status: int) -> None:
    """That of the public URL, and those of MCP_ALLOWED_ORIGINS."""
    async with client(edge, Host="mcp.example.com", Origin=origin) as http:
        assert (await http.post("/mcp", json={})).status_code == status


async def test_pages_of_an_allowed_origin_may_read_the_answers(edge: Running) -> None:
    """By CORS; no others may, and no cookie is ever sent along."""
    asking = {"Access-Control-Request-Method": "POST", "Host": "mcp.example.com"}
    headers = "authorization,content-type,mcp-protocol-version,mcp-method"
    async with client(edge, **asking, **{"Access-Control-Request-Headers": headers}) as http:
        allowed = await http.options("/mcp", headers={"Origin": PAGE})
        refused = await http.options("/mcp", headers={"Origin": "https://evil.example.com"})
    async with client(edge, Host="mcp.example.com", Origin=PAGE) as http:
        answer = await http.post("/mcp", json={})

    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == PAGE
    assert "mcp-method" in allowed.headers["Access-Control-Allow-Headers"]
    assert refused.status_code == 400
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_without_allowed_origins_there_is_no_cors(server: Running) -> None:
    """A page of a stranger is refused, and told nothing that a browser would hand on."""
    async with client(server, Origin="https://evil.example.com") as http:
        answers = [await http.get("/.well-known/oauth-authorization-server")]
        answers.append(await http.post("/mcp", json={}))

    assert [answer.status_code for answer in answers] == [403, 403]
    assert all("Access-Control-Allow-Origin" not in answer.headers for answer in answers)


async def test_every_answer_is_careful(edge: Running) -> None:
    """Pages, errors, tokens, probes: nothing may be guessed, framed or kept."""
    async with client(edge, Host="mcp.example.com") as http:
        answers = [
            await http.get("/health"),
            await http.post("/mcp", json={}),
            await http.post("/token", data={}),
            await http.get("/consent"),
            await http.get("/nothing"),
        ]

    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer.url
        assert "no-store" in answer.headers["Cache-Control"], answer.url
        assert answer.headers["Strict-Transport-Security"].startswith("max-age="), answer.url


async def test_a_message_that_is_too_large_or_too_deep(server: Running) -> None:
    """Refused before authentication, by a JSON-RPC error."""
    async with client(server) as http:
        large = await http.post("/mcp", content=b" " * (MAX_MCP_BODY + 1))
        deep = await http.post("/mcp", content=b"[" * 100)

    assert (large.status_code, deep.status_code) == (413, 400)
    assert large.json()["error"]["code"] == deep.json()["error"]["code"] == -32600


async def test_connections_that_dawdle_are_closed(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says nothing, and one that never ends its headers (Slowloris)."""
    monkeypatch.setattr("redmine_mcp_core.edge.connections.HEAD_SECONDS", 0.05)
    port = httpx.URL(server.url).port
    for beginning in (b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
    async with client(server) as http:
        assert (await http.get("/health")).status_code == 200


async def test_a_connection_that_is_used_again_is_not_cut(server: Running) -> None:
    """Two requests, each well within its time, on one connection."""
    async with client(server) as http:
        answers = [await http.get("/health") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3


def served_certificate(port: int) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return secured.getpeercert(binary_form=True) or b""


async def test_tls(sandbox: Target, tmp_path: Path) -> None:
    """https by two settings; a new certificate at SIGHUP, also one with another kind of key; a
    half-written one changes nothing."""

    port = free_port()
    certificate, key = Authority().write(tmp_path)
    trusted = ssl.create_default_context(cafile=str(certificate))
    files = {"MCP_TLS_CERT": str(certificate), "MCP_TLS_KEY": str(key)}
    environment = server_environment(sandbox, port, tmp_path / "tokens.sqlite3", **files)
    async with Process(tmp_path / "process", environment, "serve") as process:
        await process.serves(f"https://127.0.0.1:{port}", verify=trusted)
        async with httpx.AsyncClient(verify=trusted) as http:
            url = f"https://127.0.0.1:{port}/.well-known/oauth-authorization-server"
            metadata = (await http.get(url)).json()
        first = await asyncio.to_thread(served_certificate, port)
        key.write_text("half a key")
        process.send(signal.SIGHUP)
        await until(lambda: process.says("tls_not_reloaded"))
        during = await asyncio.to_thread(served_certificate, port)
        Authority("renewed").write(tmp_path)
        process.send(signal.SIGHUP)
        await until(lambda: process.says("tls_reloaded"))
        renewed = await asyncio.to_thread(served_certificate, port)
        Authority("again", rsa.generate_private_key(65537, 2048)).write(tmp_path)
        process.send(signal.SIGHUP)
        await until(lambda: process.says("tls_reloaded", 2))
        of_another_kind = await asyncio.to_thread(served_certificate, port)
        process.send(signal.SIGTERM)
        code = await process.exit_code()

    assert metadata["token_endpoint"].startswith("https://127.0.0.1")
    assert first == during
    assert len({first, renewed, of_another_kind}) == 3
    assert code == 0


async def test_tls_with_a_wrong_pair(sandbox: Target, tmp_path: Path) -> None:
    """One sentence, code 2, and nothing listens."""
    other = tmp_path / "other"
    other.mkdir()
    certificate, _ = Authority().write(tmp_path)
    _, key = Authority().write(other)
    files = {"MCP_TLS_CERT": str(certificate), "MCP_TLS_KEY": str(key)}
    environment = server_environment(sandbox, free_port(), tmp_path / "tokens.sqlite3", **files)
    async with Process(tmp_path / "process", environment, "serve") as process:
        code = await process.exit_code()

    assert code == 2
    assert "MCP_TLS_KEY: the key does not belong to the certificate" in process.stderr
