"""Clients that are known by a document about them (client ID metadata documents)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastmcp.server.auth import ssrf
from fastmcp.server.auth.cimd import CIMDFetcher
from fastmcp.server.auth.ssrf import SSRFFetchError, SSRFFetchResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from redmine_mcp_core.auth.client_metadata import DEVICE_GRANT
from redmine_mcp_core.seams import DocumentFetcher
from tests.support.device_flow import GRANTS, NOWHERE, ask, error, poll, sign_in_there
from tests.support.forms import Browser
from tests.support.servers import Running, Target, free_port, running_server, serving
from tests.support.sign_in import REDIRECT_URI, authorization_url, authorize, pkce, redeem

CLIENT_ID = "https://client.example/oauth/metadata.json"


@dataclass
class Site:
    """The site of a client, served on loopback and reached under the client's own name."""

    document: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    fails: dict[str, Any] = field(default_factory=dict)
    """How fetching fails: by a ``status``, or on the way for a ``cause``."""

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        tag = self.headers.get("ETag")
        if tag and request.headers.get("if-none-match") == tag:
            return Response(status_code=304)
        return JSONResponse(self.document, headers=self.headers)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Everything is real but the guard's refusal of loopback, which a test of its own holds."""
    site = Site(
        {"client_id": CLIENT_ID, "client_name": "Desk", "redirect_uris": [REDIRECT_URI]}
        | {"grant_types": ["authorization_code", "refresh_token"]}
    )
    port = free_port()

    async def fetch(url: str, *, request_headers: Any = None, **_: Any) -> SSRFFetchResponse:
        assert urlsplit(url).hostname == "client.example"
        if site.fails:
            what = f"HTTP {site.fails['status']}" if "status" in site.fails else "Error"
            raise SSRFFetchError(f"{what} fetching {url}") from site.fails.get("cause")
        async with httpx.AsyncClient() as http:
            answer = await http.get(
                f"http://127.0.0.1:{port}{urlsplit(url).path}", headers=request_headers
            )
        return SSRFFetchResponse(answer.content, answer.status_code, dict(answer.headers))

    monkeypatch.setattr(f"{CIMDFetcher.__module__}.ssrf_safe_fetch_response", fetch)
    app = Starlette(routes=[Route("/{path:path}", site.answer)])
    async with serving(app, port):
        yield site


def address(server: Running, client_id: str = CLIENT_ID, uri: str = REDIRECT_URI) -> str:
    return authorization_url(server.url, client_id, pkce()[1], redirect_uri=uri)


async def status(server: Running, client_id: str = CLIENT_ID, uri: str = REDIRECT_URI) -> int:
    async with httpx.AsyncClient() as http:
        return (await http.get(address(server, client_id, uri))).status_code


async def test_a_sign_in_with_a_document(server: Running, site: Site) -> None:
    """No registration; the document is fetched once for all the steps of it."""
    verifier, challenge = pkce()
    arrived = await authorize(server.url, CLIENT_ID, "bob", "password1234", challenge=challenge)
    answer = await redeem(server.url, CLIENT_ID, arrived.params["code"], verifier)

    assert answer.status_code == 200, answer.text
    assert len(site.asked) == 1


async def test_the_page_names_the_host_that_vouches(server: Running, site: Site) -> None:
    """A name is anybody's word; the host is what was checked, and where the code will go."""
    site.document |= {"client_name": "Redmine itself", "redirect_uris": ["https://client.example/"]}
    async with Browser("https://client.example/") as browser:
        await browser.visit(address(server, uri="https://client.example/"))

    assert "client.example" in browser.page.text
    assert "https://client.example/</code>" in browser.page.text


LISTED = [
    ("https://client.example/callback", "https://client.example/callback", 302),
    ("https://client.example/callback", "https://client.example/callback/more", 400),
    ("https://client.example", "https://client.example/any/other/path", 400),
    ("https://*.example/callback", "https://evil.example/callback", 400),
    ("https://client.example/*", "https://client.example/open-redirect", 400),
    ("http://127.0.0.1/callback", "http://127.0.0.1:5123/callback", 302),
    ("http://localhost:*/callback", "http://localhost:5123/callback", 302),
    ("http://localhost:*/callback", "http://localhost.evil.example:5123/callback", 400),
    ("http://client.example/callback", "http://client.example/callback", 400),
    ("javascript://client.example/%0aalert(1)", "javascript://client.example/%0aalert(1)", 400),
]


async def test_the_redirect_uris_of_a_document_hold(server: Running, site: Site) -> None:
    """Exactly, as for a registration; FastMCP would take them for patterns."""
    site.headers["Cache-Control"] = "no-store"
    for listed, uri, verdict in LISTED:
        site.document["redirect_uris"] = [listed]

        assert await status(server, uri=uri) == verdict, (listed, uri)


async def test_the_operators_list_holds_for_documents(sandbox: Target, site: Site) -> None:
    """MCP_ALLOWED_REDIRECT_URIS narrows what a document may name."""
    there = "https://client.example/callback"
    site.document["redirect_uris"] = [REDIRECT_URI, there]
    async with running_server(sandbox, mcp_allowed_redirect_uris=["http://127.0.0.1:*"]) as server:
        assert await status(server) == 302
        assert await status(server, uri=there) == 400


WRONG: list[dict[str, Any]] = [
    {"client_id": "https://other.example/oauth/metadata.json"},
    {"redirect_uris": []},
    {"token_endpoint_auth_method": "client_secret_post"},
]


async def test_a_document_that_is_not_right_makes_no_client(server: Running, site: Site) -> None:
    """One of somebody else's name, without an address, or with a shared secret."""
    right = dict(site.document)
    for wrong in WRONG:
        site.document = {**right, **wrong}

        assert await status(server) == 400, wrong
    site.document = right
    assert await status(server) == 302


async def test_the_address_of_a_document_is_plain(server: Running, site: Site) -> None:
    """Without a user, a fragment or a way up, which could make a person read another host."""
    for client_id in (
        "https://good.example@client.example/oauth/metadata.json",
        f"{CLIENT_ID}#good.example",
        "https://client.example/other/../oauth/metadata.json",
        "https://client.example\\@good.example/oauth/metadata.json",
    ):
        site.document["client_id"] = client_id

        assert await status(server, client_id) == 400, client_id
    assert site.asked == []


async def test_closed_knows_no_documents(sandbox: Target, site: Site) -> None:
    """MCP_REGISTRATION=closed fetches nothing from anywhere."""
    async with running_server(sandbox, mcp_registration="closed") as server:
        assert await status(server) == 400

    assert site.asked == []


async def test_an_expired_document_is_asked_for_again(server: Running, site: Site) -> None:
    """As its headers say, and with its ETag, so that an unchanged one is not sent again."""
    site.headers |= {"Cache-Control": "max-age=0", "ETag": '"1"'}
    before = await status(server)
    repeated = await status(server)
    site.headers["ETag"] = '"2"'
    site.document["redirect_uris"] = ["https://client.example/moved"]
    after = await status(server)

    assert (before, repeated, after) == (302, 302, 400)
    assert [request.headers.get("if-none-match") for request in site.asked[-2:]] == ['"1"', '"1"']


async def test_no_document_is_trusted_for_longer_than_a_day(
    server: Running, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site that was broken into for an hour must not be believed for a year."""
    site.headers["Cache-Control"] = "max-age=31536000"
    now = time.time()
    times = []
    for later in (0, 86_000, 87_000):
        with monkeypatch.context() as clock:
            clock.setattr(time, "time", lambda at=now + later: at)
            assert await status(server) == 302
        times.append(len(site.asked))

    assert times == [1, 1, 2]


async def test_only_so_many_documents_are_remembered(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who signs in under ever new addresses fills no memory."""
    monkeypatch.setattr(DocumentFetcher, "MAX_CACHE_SIZE", 3)
    fetcher = DocumentFetcher()
    for number in range(5):
        site.document["client_id"] = f"{CLIENT_ID}/{number}"
        await fetcher.fetch(f"{CLIENT_ID}/{number}")

    assert [url[-1] for url in fetcher._cache] == ["2", "3", "4"]


async def test_no_document_is_fetched_from_inside(server: Running) -> None:
    """A client ID must not make the server knock at its neighbours' doors (SSRF)."""
    knocks = 0

    async def knock(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        writer.close()

    listener = await asyncio.start_server(knock, "localhost", 0)
    port = listener.sockets[0].getsockname()[1]
    hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "169.254.169.254"]
    async with listener:
        answers = {host: await status(server, f"https://{host}/metadata.json") for host in hosts}

    assert answers == dict.fromkeys(hosts, 400)
    assert knocks == 0


def test_the_guard_knows_what_is_inside() -> None:
    """Private, loopback, link-local, shared and mapped addresses; not the public ones."""
    inside = "127.0.0.1 10.1.2.3 192.168.1.1 172.16.0.1 169.254.169.254 100.64.0.1 0.0.0.0 ::1 "
    inside += "fc00::1 fe80::1 ::ffff:127.0.0.1 224.0.0.1"

    assert [ip for ip in inside.split() if ssrf.is_ip_allowed(ip)] == []
    assert ssrf.is_ip_allowed("93.184.216.34")


@pytest.mark.parametrize("grants", [GRANTS, GRANTS[:2]])
async def test_a_device_known_by_its_document(
    server: Running, site: Site, grants: list[str]
) -> None:
    """It may use the device flow if its document says so, and the page names its host."""
    site.document["grant_types"] = grants
    asked = await ask(server, CLIENT_ID)
    if DEVICE_GRANT not in grants:
        assert error(asked) == "unauthorized_client"
        return
    async with Browser(NOWHERE) as browser:
        await browser.visit(asked.json()["verification_uri_complete"])
        assert "client.example vouches for this client" in browser.page.text
        await sign_in_there(browser, asked.json())

    assert (await poll(server, CLIENT_ID, asked.json()["device_code"])).status_code == 200
