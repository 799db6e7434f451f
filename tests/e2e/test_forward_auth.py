"""The configurations in ``deploy/forward-auth``, run by the real nginx, Traefik and Envoy: they
guard another service with a sign-in of ours."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.processes import answers_with, until
from tests.support.programs import DEPLOY, program, running
from tests.support.servers import Running, Target, free_port, running_server, serving
from tests.support.sign_in import Tokens, sign_in
from tests.support.signed_in import redmine_token, sandbox_of

FORGED = {
    "X-Redmine-User-Id": "1",
    "X-Redmine-Login": "admin",
    "X-Redmine-Name": "Admin",
    "X-Redmine-Scopes": "everything",
    "X-Redmine-API-Key": "0123456789abcdef",
}


SPELLINGS = [
    "/mcp/./wiki",
    "//mcp/wiki",
    "/mcp//wiki",
    "/x/../mcp/wiki",
    "/mcp/%77iki",
    "/mcp/Wiki",
]


@dataclass(frozen=True)
class Ports:
    ours: int
    guarded: int
    proxy: int


def shipped(name: str, ports: Ports, *changes: tuple[str, str]) -> str:
    """The file, with the ports of a test and without TLS."""
    text = (DEPLOY / "forward-auth" / name).read_text(encoding="utf-8")
    text = text.replace("redmine-mcp:8000", f"127.0.0.1:{ports.ours}")
    text = text.replace("wiki-mcp:9000", f"127.0.0.1:{ports.guarded}")
    for pattern, replacement in changes:
        text, found = re.subn(pattern, replacement, text)
        assert found, pattern
    return text


def nginx(folder: Path, ports: Ports) -> list[str]:
    site = shipped(
        "nginx.conf",
        ports,
        ("listen 443 ssl;", f"listen 127.0.0.1:{ports.proxy};"),
        (r".*ssl_certificate.*\n", ""),
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}"
        f"http {{ access_log off; {temporary}\n{site} }}"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def traefik(folder: Path, ports: Ports) -> list[str]:
    changes = (("mcp.example.com", "127.0.0.1"), (r" +tls: \{\}\n", ""))
    (folder / "traefik.yml").write_text(shipped("traefik.yml", ports, *changes))
    return [
        f"--entryPoints.websecure.address=127.0.0.1:{ports.proxy}",
        f"--providers.file.filename={folder / 'traefik.yml'}",
        "--providers.file.watch=false",
        "--global.checkNewVersion=false",
    ]


def envoy(folder: Path, ports: Ports) -> list[str]:
    (folder / "envoy.yaml").write_text(
        shipped(
            "envoy.yaml",
            ports,
            (
                r"address: 0\.0\.0\.0, port_value: 8443",
                f"address: 127.0.0.1, port_value: {ports.proxy}",
            ),
            (r"address: (redmine|wiki)-mcp", "address: 127.0.0.1"),
            ("port_value: 8000", f"port_value: {ports.ours}"),
            ("port_value: 9000", f"port_value: {ports.guarded}"),
            (r"mcp\.example\.com\"", f'127.0.0.1:{ports.proxy}"'),
        )
    )
    return ["-c", str(folder / "envoy.yaml"), "--use-dynamic-base-id", "--concurrency", "1"]


PROXIES: dict[str, Callable[[Path, Ports], list[str]]] = {
    "nginx": nginx,
    "traefik": traefik,
    "envoy": envoy,
}


async def echo(request: Request) -> Response:
    """The guarded service: it tells what it was sent."""
    return JSONResponse({"path": request.url.path, "headers": dict(request.headers)})


@dataclass(frozen=True)
class Guarded:
    """A service behind a proxy that asks our server, which is behind the same proxy."""

    url: str
    server: Running

    async def asks(self, path: str = "/mcp/wiki", **options: Any) -> httpx.Response:
        """A request for the path as it is written: httpx by itself would take dots out of it."""
        exactly = {"target": path.encode()}
        async with httpx.AsyncClient(base_url=self.url) as http:
            return await http.request(
                **{"method": "GET", "url": path, "extensions": exactly, **options}
            )


def bearer(tokens: Tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.access}"}


@pytest.fixture(params=PROXIES)
async def guarded(
    request: pytest.FixtureRequest, sandbox: Target, tmp_path: Path
) -> AsyncIterator[Guarded]:
    ports = Ports(free_port(), free_port(), free_port())
    command = [program(request.param), *PROXIES[request.param](tmp_path, ports)]
    url = f"http://127.0.0.1:{ports.proxy}"
    service = Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST"])])
    async with (
        running_server(
            sandbox,
            port=ports.ours,
            mcp_public_url=url,
            mcp_trusted_proxies=["127.0.0.0/8"],
            redmine_timeout=0.5,
        ) as server,
        serving(service, ports.guarded),
        running(command, tmp_path),
    ):
        await until(partial(answers_with, 200, f"{url}/health"))
        yield Guarded(url, server)


async def test_who_is_signed_in_passes_and_is_named(guarded: Guarded) -> None:
    """What a client says of itself is overwritten, and no token or key gets through."""
    tokens = await sign_in(guarded.url, scope="view_issues search_project")
    passed = await guarded.asks(method="POST", headers={**bearer(tokens), **FORGED}, json={})

    assert passed.status_code == 200
    assert passed.json()["path"] == "/mcp/wiki"
    seen = passed.json()["headers"]
    assert (seen["x-redmine-user-id"], seen["x-redmine-login"]) == ("5", "alice")
    assert seen["x-redmine-name"] == "Alice Ace"
    assert "view_issues" in seen["x-redmine-scopes"].split()
    assert not seen.get("authorization")
    assert not seen.get("x-redmine-api-key")


async def test_nobody_else_passes(guarded: Guarded) -> None:
    """Without a token 401, and where to sign in; without the scope 403, and which; and nobody asks
    ``/verify`` from outside, by whatever spelling."""
    tokens = await sign_in(guarded.url)
    few = await sign_in(guarded.url, "carol", scope="search_project")
    nobody = await guarded.asks(headers=FORGED)
    lacking = await guarded.asks("/mcp/wiki?scope=search_project", headers=bearer(few))
    below = await guarded.asks("/mcp/wiki/pages/1")
    spelled = [await guarded.asks(path) for path in SPELLINGS]
    # alice's token is good, so whoever reached ``/verify`` would be told her name
    inside = [
        await guarded.asks(path, headers=bearer(tokens))
        for path in (
            "/verify",
            "/verify/x",
            "/mcp/../verify",
            "/mcp/wiki/../../verify",
            "/%76erify",
        )
    ]

    assert nobody.status_code == 401
    assert f'resource_metadata="{guarded.url}/' in nobody.headers["www-authenticate"]
    assert lacking.status_code == 403
    assert 'error="insufficient_scope", scope="view_issues"' in lacking.headers["www-authenticate"]
    assert below.status_code == 401
    assert not {answer.status_code for answer in spelled} & {200}
    assert {answer.status_code for answer in inside} == {404}


async def test_an_outage_is_no_refusal(guarded: Guarded) -> None:
    """503, and when to try again, while Redmine cannot be asked."""
    tokens = await sign_in(guarded.url, scope="view_issues search_project")
    sandbox_of(guarded.server).outage = True
    guarded.server.host.mcp.auth.verifier.forget(redmine_token(guarded.server))  # type: ignore[union-attr]
    away = await guarded.asks(headers=bearer(tokens))

    assert away.status_code == 503
    assert int(away.headers["retry-after"]) > 0
