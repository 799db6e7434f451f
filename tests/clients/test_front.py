"""The front page: what it tells a person, and a client that takes it for its endpoint."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from importlib.metadata import version

import httpx
import pytest
from fastmcp import Client
from fastmcp.exceptions import McpError
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages import words
from redmine_mcp_core.auth.pages.texts import ENGLISH
from redmine_mcp_core.clients.front import Offer, front_page, server_of
from redmine_mcp_core.clients.table import ANY, CLIENTS, Way
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.several import open_each
from tests.auth.test_pages import PIRATE, Spoken, pirate, request
from tests.support.servers import Running, Target, free_port, running_server, serving, settings_for

__all__ = ["pirate"]

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
HELLO = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}


async def ask(url: str, method: str = "GET", **options: object) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.request(method, url, **options)  # type: ignore[arg-type]


async def test_a_person_learns_how_to_connect(server: Running) -> None:
    """Whose Redmine it is, and for each client just what its recipes say."""
    page = await ask(f"{server.url}/", headers=BROWSER)
    text = html.unescape(page.text)
    told = server_of("", server.host.settings)

    assert page.status_code == 200
    assert f'<a href="{server.target.url}"' in text
    assert f'href="{server.url}/connections"' in text
    for client in (*CLIENTS, ANY):
        assert f">{client.name or ENGLISH['front.other']}<" in text
        for recipe in client.recipes:
            assert (recipe.text(told) in text) is (recipe.way is not Way.STDIO)
        if client.install:
            assert f'href="{client.install(told)}"' in text


async def test_the_endpoint_in_a_browser(server: Running) -> None:
    """Whoever opens the address of the MCP server learns what to do with it; a client that asks
    for a stream learns that there is none."""
    person = await ask(f"{server.url}/mcp", headers=BROWSER)
    client = await ask(f"{server.url}/mcp", headers={"Accept": "text/event-stream"})

    assert person.status_code == 303
    assert httpx.URL(f"{server.url}/mcp").join(person.headers["location"]) == f"{server.url}/"
    assert (client.status_code, client.headers["allow"]) == (405, "DELETE, POST")


async def test_strangers_learn_no_version(server: Running) -> None:
    """Neither ours nor anybody else's, in no header and in no word."""
    page = await ask(f"{server.url}/", headers=BROWSER)
    said = f"{page.headers}{re.sub('<style>.*</style>', '', page.text, flags=re.DOTALL)}"

    for distribution in ("redmine-mcp-core", "fastmcp", "starlette", "uvicorn"):
        assert version(distribution) not in said
    assert "uvicorn" not in said
    assert not server.target.sandbox or server.target.sandbox.client_id not in said


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {"Accept": "application/json, text/event-stream"}),
        ("POST", BROWSER),
        ("GET", {"Accept": "text/event-stream"}),
        ("GET", {"Accept": "*/*"}),
        ("GET", {}),
        ("DELETE", {}),
    ],
)
async def test_a_client_is_told_where_to_go(
    server: Running, method: str, headers: Mapping[str, str]
) -> None:
    """Whatever is no browser gets 404, in the words of JSON-RPC, with the right address."""
    options = {"json": HELLO} if method == "POST" else {}
    answer = await ask(f"{server.url}/", method, headers=headers, **options)
    error = answer.json()["error"]

    assert answer.status_code == 404
    assert answer.headers["vary"] == "Accept"
    assert f"{server.url}/mcp" in error["message"]
    assert error["data"] == {"mcp": [f"{server.url}/mcp"]}


async def test_a_real_client_fails_at_once(server: Running) -> None:
    """FastMCP's client, given the address without its path, repeats our sentence."""
    with pytest.raises(McpError, match="There is no MCP endpoint here"):
        async with Client(f"{server.url}/", timeout=5):
            pass


async def test_without_a_sign_in_no_connections(sandbox: Target) -> None:
    """Where each request brings a key, the page says which header, and leads nowhere else."""
    async with running_server(sandbox, mcp_sign_in=["header"]) as running:
        page = await ask(f"{running.url}/", headers=BROWSER)

    assert "X-Redmine-API-Key" in page.text
    assert "/connections" not in page.text


async def test_several_redmines(sandbox: Target) -> None:
    """One section each, with an address and a name of its own, wherever the page is asked for."""
    port = free_port()
    root = f"http://127.0.0.1:{port}"
    each = {
        name: settings_for(sandbox, port, mcp_public_url=f"{root}/{name}", mcp_sign_in=["header"])
        for name in ("intern", "customers")
    }
    async with open_each(each, Metrics()) as served, serving(served.app, port, lifespan="on"):
        at_root = await ask(f"{root}/", headers=BROWSER)
        below = await ask(f"{root}/customers/", headers=BROWSER)
        lost = await ask(f"{root}/", "POST", json=HELLO)

    assert at_root.text == below.text
    assert re.findall(r'<section aria-labelledby="([\w-]+)">', at_root.text) == [
        "redmine-intern",
        "redmine-customers",
    ]
    assert f"{root}/intern/mcp" in at_root.text
    assert "redmine-customers " in at_root.text
    assert lost.json()["error"]["data"]["mcp"] == [f"{root}/intern/mcp", f"{root}/customers/mcp"]


def offers(settings: Settings) -> list[Offer]:
    header = settings.model_copy(update={"mcp_sign_in": ["header"]})
    return [Offer.of("", settings), Offer.of("intern", header)]


@pytest.fixture
def some_settings() -> Settings:
    target = Target("http://127.0.0.1:1", "client", "long-enough-for-a-secret")
    return settings_for(target, 8000)


@pytest.mark.usefixtures("pirate")
def test_every_word_is_in_the_catalogue(some_settings: Settings) -> None:
    """In another language nothing is left of English but what is marked as no language at all."""
    answer = front_page(request(PIRATE), offers(some_settings))
    body = bytes(answer.body).decode()
    kept = re.sub(r'<(\w+)([^>]*) translate="no">.*?</\1>', "", body, flags=re.DOTALL)

    said = Spoken(HTMLResponse(kept))

    assert said.language == PIRATE
    assert not re.findall("[A-Za-z]+", "".join(said.texts))


def test_every_text_is_used(some_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue holds no text for this page that it does not say."""
    asked: set[str] = set()

    class Listening(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            asked.add(name)
            return super().__getitem__(name)

    monkeypatch.setitem(words.CATALOGUES, "listening", Listening(ENGLISH))
    front_page(request("listening"), offers(some_settings))

    assert {name for name in ENGLISH if name.startswith("front.")} - asked == set()


def test_no_address_is_markup(some_settings: Settings) -> None:
    """A name or an address that somebody chose is text."""
    evil = some_settings.model_copy(update={"redmine_url": 'https://a/"><script>'})
    body = bytes(front_page(request(), [Offer.of("<b>", evil)]).body).decode()

    assert "<script" not in body
    assert "<b>:" not in body
