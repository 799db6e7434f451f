"""The configurations in ``deploy/``, run by the real nginx, HAProxy and Caddy."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Process, answers_with, until
from tests.support.programs import DEPLOY, program, running
from tests.support.servers import Target, free_port, server_environment
from tests.support.sign_in import Tokens, sign_in

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

    proxy: str
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
    port, ports = free_port(), [free_port(), free_port()]
    command = [program(request.param), *PROXIES[request.param](tmp_path, port, ports)]
    url = f"http://127.0.0.1:{port}"
    settings = {
        "MCP_PUBLIC_URL": url,
        "MCP_TRUSTED_PROXIES": "127.0.0.1",
        "MCP_DRAIN_SECONDS": "4",
        "MCP_LIMIT_REGISTRATION": "1",
        # One person calls without a pause for as long as the servers are replaced.
        "MCP_LIMIT_USER": "0",
        "MCP_LIMIT_CLIENT": "0",
        "MCP_LIMIT_ADDRESS": "0",
    }
    environments = [
        server_environment(sandbox, server, tmp_path / "tokens.sqlite3", **settings)
        for server in ports
    ]
    async with running(command, tmp_path):
        yield Site(request.param, url, tmp_path, environments)


async def both(stack: AsyncExitStack, site: Site) -> list[Process]:
    """Start the two servers, and wait for them and for the proxy."""
    servers = [await stack.enter_async_context(site.server(number)) for number in (0, 1)]
    for environment in site.environments:
        await until(partial(answers_with, 200, f"{own(environment)}/ready"))
    await until(partial(answers_with, 200, f"{site.url}/health"))
    return servers


def caller(tokens: Tokens) -> httpx.AsyncClient:
    headers = {
        "Authorization": f"Bearer {tokens.access}",
        "Accept": "application/json, text/event-stream",
    }
    return httpx.AsyncClient(headers=headers, timeout=30)


async def call(site: Site, tokens: Tokens) -> str:
    """The status of one call over a connection of its own."""
    async with caller(tokens) as http:
        return f"{(await http.post(f'{site.url}/mcp', json=PING)).status_code}"


async def calls_until(done: asyncio.Event, site: Site, tokens: Tokens) -> list[str]:
    """What calls, one after the other, were answered until then."""
    answers = []
    async with caller(tokens) as http:
        while not done.is_set():
            answer = await http.post(f"{site.url}/mcp", json=PING)
            answers.append(f"{answer.status_code}")
    return answers


async def test_servers_are_replaced_without_a_failed_call(site: Site) -> None:
    """One after the other ends and starts anew, while somebody calls without a pause."""
    async with AsyncExitStack() as stack:
        servers = await both(stack, site)
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


async def test_a_dead_server_costs_only_the_calls_that_it_had(site: Site) -> None:
    """Killed while nobody waits for it: the proxy finds the other one, from the first call on. Only
    Caddy needs its next check for that."""
    async with AsyncExitStack() as stack:
        first, _ = await both(stack, site)
        tokens = await sign_in(site.url)
        for environment in site.environments:
            await until(partial(is_called_for, own(environment), site, tokens))
        first.send(signal.SIGKILL)
        await first.exit_code()
        if site.proxy == "caddy":
            await until(partial(is_found_dead, site, tokens))
        answers = [await call(site, tokens) for _ in range(40)]

    assert answers == ["200"] * 40


async def is_found_dead(site: Site, tokens: Tokens) -> bool:
    """Whether no call goes to it any more; one of these would by chance."""
    return {await call(site, tokens) for _ in range(10)} == {"200"}


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


async def is_called_for(server: str, site: Site, tokens: Tokens) -> bool:
    """Call once, and see whether this server has been called by now."""
    await call(site, tokens)
    return await is_called(server)


def own(environment: dict[str, str]) -> str:
    return f"http://127.0.0.1:{environment['MCP_PORT']}"
