"""What a look at a Redmine without a login tells: the way to it, its kind, its age, its clock."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from redmine_mcp_core.checks import Finding, State
from redmine_mcp_core.checks.network import way_to
from redmine_mcp_core.checks.redmine import Look, clock, look_at
from tests.support.certificates import Authority
from tests.support.servers import Target, free_port, serving

Pages = dict[str, Response]
ON = Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="Redmine API"'})
OFF = Response(status_code=403, media_type="application/json")
"""What Redmine 6.1.5 answers to a REST call without a login."""


@asynccontextmanager
async def site(pages: Pages) -> AsyncIterator[str]:
    """A site with these pages, and 404 for any other; its address."""
    port = free_port()

    async def answer(request: Request) -> Response:
        return pages.get(request.url.path, Response("Not found", 404))

    async with serving(Starlette(routes=[Route("/{path:path}", answer)]), port):
        yield f"http://127.0.0.1:{port}"


async def looked(url: str) -> tuple[Look, list[Finding]]:
    look = Look(url)
    return look, [finding async for finding in look_at(look)]


def wrong(findings: list[Finding]) -> Finding:
    (finding,) = (finding for finding in findings if finding.state is not State.OK)
    assert finding.advice
    return finding


async def test_all_is_well(redmine: Target) -> None:
    """A Redmine 6.1 with REST is known by what it shows without a login."""
    look, findings = await looked(redmine.url)

    assert (look.answers, look.rest, look.oauth) == (True, True, True)
    assert {finding.state for finding in findings} == {State.OK}
    assert any("6.1 or newer" in finding.what for finding in findings)


async def test_rest_is_off() -> None:
    """It is a Redmine, and the finding names the tick that is missing."""
    async with site({"/users/current.json": OFF}) as url:
        look, findings = await looked(url)

    assert (look.answers, look.rest) == (True, False)
    assert "Enable REST web service" in wrong(findings).advice


@pytest.mark.parametrize(
    ("page", "version"),
    [
        ('<link href="/assets/application-1f2e.css">', "Redmine 6.0"),
        ('<link href="/stylesheets/application.css?17">', "older than Redmine 6.0"),
    ],
)
async def test_an_older_redmine(page: str, version: str) -> None:
    """It has no OAuth, and its pages show about how old it is."""
    async with site({"/users/current.json": ON, "/login": Response(page)}) as url:
        look, findings = await looked(url)

    assert not look.oauth
    assert any(f"{version}, so it has no OAuth" in finding.what for finding in findings)


@pytest.mark.parametrize(
    ("pages", "typed", "there"),
    [
        ({"/redmine/users/current.json": ON}, "", "/redmine"),
        ({"/users/current.json": ON}, "/projects/alpha/issues", ""),
        ({"/tools/redmine/users/current.json": ON}, "/tools/redmine/login", "/tools/redmine"),
        (
            {
                "/users/current.json": RedirectResponse("/new/users/current.json"),
                "/new/users/current.json": ON,
            },
            "",
            "/new",
        ),
    ],
    ids=["folder missing", "copied from a browser", "folder and page", "moved"],
)
async def test_it_is_elsewhere(pages: Pages, typed: str, there: str) -> None:
    """An address beside the right one leads to the right one."""
    async with site(pages) as url:
        look, findings = await looked(f"{url}{typed}")

        assert look.moved_to == f"{url}{there}"
        assert wrong(findings).advice == f"Set REDMINE_URL to {url}{there}."


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Response("Hello", 200), "is no Redmine"),
        (Response(status_code=401, headers={"WWW-Authenticate": "Basic"}), "Something before"),
        (RedirectResponse("https://sso.example.com/"), "sso.example.com"),
    ],
    ids=["another site", "a password before it", "single sign-on before it"],
)
async def test_something_else_is_there(answer: Response, what: str) -> None:
    """What stands in the way is told apart."""
    async with site({"/users/current.json": answer}) as url:
        look, findings = await looked(url)

    assert not look.answers
    assert what in wrong(findings).what


@pytest.mark.parametrize(
    ("date", "state"),
    [("Mon, 01 Jan 2024 00:00:00 GMT", State.WARN), ("now", State.OK), (None, None)],
    ids=["wrong", "right", "not told"],
)
def test_the_clock(date: str | None, state: State | None) -> None:
    """A Redmine whose time is far from ours is worth a word; one that tells none is not."""
    told = formatdate(usegmt=True) if date == "now" else date
    finding = clock(httpx.Response(401, headers={"Date": told} if told else {}))

    assert (finding.state if finding else None) is state


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("https://redmine.invalid", "has no address"),
        (f"http://127.0.0.1:{free_port()}", "accepts no connection"),
    ],
)
async def test_the_way_is_cut(url: str, what: str) -> None:
    """Without a name server or a listener the first finding says which, and nothing follows."""
    (finding,) = [finding async for finding in way_to(url)]

    assert what in finding.what
    assert finding.state is State.FAIL


async def test_an_unknown_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that nobody vouches for fails, and SSL_CERT_FILE is the way out; one that
    ends in an hour is a warning."""
    certificate, key = Authority().write(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        (strange,) = [finding async for finding in way_to(url)]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        (known,) = [finding async for finding in way_to(url)]

    assert strange.state is State.FAIL
    assert "SSL_CERT_FILE" in strange.advice
    assert known.state is State.WARN
    assert "0 more days" in known.what
