"""The configurations in ``deploy/``, run by the real nginx, HAProxy and Caddy if they are here."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Process, answers_with, until
from tests.support.servers import Target, free_port, server_environment
from tests.support.sign_in import Tokens, sign_in

DEPLOY = Path(__file__).parents[2] / "deploy"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def nginx(folder: Path, port: int, servers: list[int]) -> list[str]:
    """The site as it is shipped, without TLS, in a configuration around it."""
    site = (DEPLOY / "nginx" / "redmine-mcp.conf").read_text()
    site = re.sub(r"listen 443[^;]*;", f"listen 127.0.0.1:{port};", site)
    site = re.sub(r"\n +(listen \[|ssl_)[^;]*;", "", site)
    upstreams = " ".join(
        f"server 127.0.0.1:{server} max_fails=1 fail_timeout=2s;" for server in servers
    )
    site, found = re.subn(r"server 127.0.0.1:8000[^;]*;", upstreams, site)
    assert found == 1
    temporary = "\n".join(
        f"{kind}_temp_path {folder / kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder / 'pid'}; error_log stderr;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}\n{site}\n}}\n"
    )
    return ["-c", str(path), "-p", str(folder), "-e", "stderr"]


def haproxy(folder: Path, port: int, servers: list[int]) -> list[str]:
    config = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    config = re.sub(r"bind :443 .*", f"bind 127.0.0.1:{port}", config)
    upstreams = "\n    ".join(f"server s{server} 127.0.0.1:{server}" for server in servers)
    config, found = re.subn(r"server one 127.0.0.1:8000", upstreams, config)
    assert found == 1
    path = folder / "haproxy.cfg"
    path.write_text(config)
    return ["-db", "-f", str(path)]


def caddy(folder: Path, port: int, servers: list[int]) -> list[str]:
    config = (DEPLOY / "caddy" / "Caddyfile").read_text()
    config = config.replace("mcp.example.com {", f"http://127.0.0.1:{port} {{")
    upstreams = " ".join(f"127.0.0.1:{server}" for server in servers)
    config, found = re.subn(r"reverse_proxy 127.0.0.1:8000", f"reverse_proxy {upstreams}", config)
    assert found == 1
    path = folder / "Caddyfile"
    path.write_text(f"{{\n\tadmin off\n}}\n{config}")
    return ["run", "--adapter", "caddyfile", "--config", str(path)]


PROXIES: dict[str, Callable[[Path, int, list[int]], list[str]]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "caddy": caddy,
}


@dataclass(frozen=True)
class Site:
    """Two servers behind a proxy."""

    url: str
    folder: Path
    environments: list[dict[str, str]]

    def server(self, number: int, run: int = 0) -> Process:
        folder = self.folder / f"server-{number}-{run}"
        return Process(folder, self.environments[number], "serve")


@pytest.fixture(params=PROXIES)
async def site(
    request: pytest.FixtureRequest, sandbox: Target, tmp_path: Path
) -> AsyncIterator[Site]:
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not here: its configuration was not tried")
    port, ports = free_port(), [free_port(), free_port()]
    arguments = PROXIES[request.param](tmp_path, port, ports)
    url = f"http://127.0.0.1:{port}"
    settings = {
        "MCP_PUBLIC_URL": url,
        "MCP_TRUSTED_PROXIES": "127.0.0.1",
        "MCP_DRAIN_SECONDS": "4",
        "MCP_LIMIT_REGISTRATION": "1",
        # One person calls without a pause for as long as the servers are replaced.
        "MCP_LIMIT_USER": "0",
    }
    environments = [
        server_environment(sandbox, server, tmp_path / "tokens.sqlite3", **settings)
        for server in ports
    ]
    async with running(program, arguments, tmp_path):
        yield Site(url, tmp_path, environments)


@asynccontextmanager
async def running(program: str, arguments: list[str], folder: Path) -> AsyncIterator[None]:
    with (folder / "proxy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=log, stderr=log, env=proxy_environment(folder)
        )
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def proxy_environment(folder: Path) -> dict[str, str]:
    """What Caddy writes down stays in the test's folder."""
    return {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}


async def calls_until(done: asyncio.Event, site: Site, tokens: Tokens) -> list[str]:
    """What calls, one after the other, were answered until then."""
    answers = []
    headers = {
        "Authorization": f"Bearer {tokens.access}",
        "Accept": "application/json, text/event-stream",
    }
    async with httpx.AsyncClient(headers=headers, timeout=30) as http:
        while not done.is_set():
            answer = await http.post(f"{site.url}/mcp", json=PING)
            answers.append(f"{answer.status_code}")
    return answers


async def test_servers_are_replaced_without_a_failed_call(site: Site) -> None:
    """One after the other ends and starts anew, while somebody calls without a pause."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(site.server(number)) for number in (0, 1)]
        for environment in site.environments:
            await until(partial(answers_with, 200, f"{own(environment)}/ready"))
        await until(partial(answers_with, 200, f"{site.url}/health"))
        tokens = await sign_in(site.url)
        replaced = asyncio.Event()
        calling = asyncio.create_task(calls_until(replaced, site, tokens))
        for number, server in enumerate(servers):
            server.send(signal.SIGTERM)
            code = await server.exit_code()
            assert code == 0
            await stack.enter_async_context(site.server(number, run=1))
            await until(partial(is_called, own(site.environments[number])))
        replaced.set()
        answers = await calling

    assert len(answers) > 20
    assert set(answers) == {"200"}


async def test_what_stays_inside_and_who_is_believed(site: Site) -> None:
    """Operators' endpoints are not shown, and an address that the client invents is not taken."""
    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
    body = {"redirect_uris": ["http://127.0.0.1:1/callback"]}
    spoofed = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"}
    async with site.server(0) as server:
        await server.serves(own(site.environments[0]))
        await until(partial(answers_with, 200, f"{site.url}/health"))
        async with httpx.AsyncClient(transport=transport, base_url=site.url) as http:
            hidden = [(await http.get(path)).status_code for path in ("/ready", "/metrics")]
            # As 198.51.100.7 it could register once; from this machine, as often as it likes.
            registered = [
                (await http.post("/register", json=body, headers=spoofed)).status_code
                for _ in range(3)
            ]

    assert hidden == [404, 404]
    assert registered == [201] * 3


async def is_called(server: str) -> bool:
    """Whether the proxy gives this server calls."""
    async with httpx.AsyncClient() as http:
        try:
            metrics = (await http.get(f"{server}/metrics")).text
        except httpx.TransportError:
            return False
    return 'redmine_mcp_http_requests_total{route="/mcp",status="200"}' in metrics


def own(environment: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environment['MCP_PORT']}"
