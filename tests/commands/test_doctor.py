"""``redmine-mcp doctor``: what is right, what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.checks import Finding, State, application
from redmine_mcp_core.checks.network import way_to
from redmine_mcp_core.checks.redmine import Look, clock, look_at
from redmine_mcp_core.commands import doctor as doctor_command
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.testing.client import Announced
from tests.support.certificates import Authority
from tests.support.command_line import Run, command_line
from tests.support.forms import Browser
from tests.support.servers import Target, free_port, running_server, serving, settings_for
from tests.support.sign_in import log_in_to_redmine, sign_in

Pages = dict[str, Response]
ON = Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="Redmine API"'})
OFF = Response(status_code=403, media_type="application/json")
"""What Redmine 6.1.5 answers to a REST call without a login."""


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    with command_line(tmp_path, monkeypatch, capsys) as run:
        yield run


@pytest.fixture
def configured(
    sandbox: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """With the settings of a server before the sandbox."""
    env = {
        "REDMINE_URL": sandbox.url,
        "REDMINE_CLIENT_ID": sandbox.client_id,
        "REDMINE_CLIENT_SECRET": sandbox.client_secret,
        "TOKEN_STORE_URL": f"sqlite:///{tmp_path}/tokens.sqlite3",
        "MCP_PORT": str(free_port()),
    }
    with command_line(tmp_path, monkeypatch, capsys, **env) as run:
        yield run


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


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, State.OK),
        ({"redmine_client_secret": "another-secret-of-many-letters"}, State.FAIL),
        ({"redmine_client_id": "unknown"}, State.FAIL),
        ({"redmine_client_secret": None, "jwt_signing_key": "k" * 32}, State.FAIL),
    ],
    ids=["right", "wrong secret", "unknown id", "no secret"],
)
async def test_the_application_is_known(
    redmine: Target, change: dict[str, Any], state: State
) -> None:
    """Client ID and secret are tried without a person."""
    finding = await application.credentials(settings_for(redmine, 8000, **change))

    assert finding.state is state
    assert bool(finding.advice) == (state is not State.OK)


@pytest.mark.parametrize(
    ("scopes", "denied", "state"),
    [(["view_issues"], False, State.OK), (["view_issues"], True, State.WARN)],
    ids=["allowed", "denied"],
)
async def test_a_sign_in_on_trial(
    redmine: Target, scopes: list[str], *, denied: bool, state: State
) -> None:
    """A person signs in once; the address at which the browser ends tells the rest."""
    settings = settings_for(redmine, 8000)
    trial = application.Trial(settings, scopes)
    async with Browser(settings.callback_url) as browser:
        await browser.visit(trial.url)
        if denied:
            arrived = f"{settings.callback_url}?error=access_denied&state={trial.state}"
        else:
            await log_in_to_redmine(browser, "alice", "password1234")
            arrived = str(browser.arrived)
    finding = await trial.judge(arrived)

    assert finding.state is state
    assert (await trial.judge(f"{redmine.url}/oauth/authorize?x=1")).state is State.FAIL


async def test_what_sign_ins_tell() -> None:
    """Those so far say whether every scope was granted to somebody."""
    settings = settings_for(Target("http://redmine.test", "id", "s" * 16), 8000)
    some = [(1.0, ["view_issues"])]

    assert application.granted(settings, ["view_issues"], some).state is State.OK
    lacking = application.granted(settings, ["view_issues", "log_time"], some)
    assert lacking.state is State.WARN
    assert "log_time" in lacking.what
    assert "there was none yet" in application.granted(settings, ["view_issues"], []).what


async def test_a_set_up_that_is_right(configured: Run) -> None:
    """Exit code 0, with a heading for each part, and no secret anywhere."""
    code, out, err = await configured("doctor")

    assert code == 0, out
    assert err == ""
    for part in ("Plugins", "Settings", "Redmine", "OAuth application", "Token store", "Server"):
        assert f"\n{part}\n" in out
    assert "✗" not in out
    assert "sandbox-secret" not in out


async def test_for_programs(configured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--json`` is JSON and nothing else; what is wrong is exit code 1."""
    monkeypatch.setenv("REDMINE_CLIENT_SECRET", "another-secret-of-many-letters")
    code, out, _ = await configured("doctor", "--json")

    found = json.loads(out)["findings"]
    assert code == 1
    assert {"about", "state", "what", "advice"} == set(found[0])
    (bad,) = [item for item in found if item["state"] == "fail"]
    assert bad["about"] == "OAuth application"
    assert "another-secret" not in out


async def test_settings_that_cannot_work(
    run: Run, monkeypatch: pytest.MonkeyPatch, sandbox: Target
) -> None:
    """All problems at once, and Redmine and the plugins are looked at all the same."""
    monkeypatch.setenv("REDMINE_URL", sandbox.url)
    monkeypatch.setenv("MCP_PORT", "no number")
    code, out, _ = await run("doctor")

    assert code == 1
    assert out.count("✗") == 3
    assert "MCP_PORT" in out
    assert "Traceback" not in out
    assert f"Redmine answers at {sandbox.url}" in out


async def test_a_broken_plugin(configured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with its reason, and the rest is looked at without it."""

    class FromTheFuture:
        api_version = 99

    entries = cast("list[EntryPoint]", [Announced("broken", FromTheFuture)])
    monkeypatch.setattr(
        doctor_command, "discover_plugins", lambda _: Plugins.discover(installed=entries)
    )
    code, out, _ = await configured("doctor")

    assert code == 1
    assert "broken was left out" in out
    assert "Its REST API is on" in out


class Seen(Result):
    def text(self) -> str:
        return "Seen."


async def test_a_scope_that_redmine_does_not_know(
    configured: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep everybody from signing in, unless a plugin in Redmine brings it: a warning."""
    plugin = Plugin()

    @plugin.tool(title="Look", scopes={"view_projets", "admin"}, read_only=True)
    async def look() -> Seen:
        """Look."""
        return Seen()

    entries = cast("list[EntryPoint]", [Announced("typist", lambda: plugin)])
    monkeypatch.setattr(
        doctor_command, "discover_plugins", lambda _: Plugins.discover(installed=entries)
    )
    _, out, _ = await configured("doctor")

    assert "Redmine itself has no permission called view_projets" in out


async def test_one_person_alone(run: Run, monkeypatch: pytest.MonkeyPatch, sandbox: Target) -> None:
    """With the settings of ``stdio``, what only a server needs is not missed."""
    assert sandbox.sandbox
    monkeypatch.setenv("REDMINE_URL", sandbox.url)
    monkeypatch.setenv("REDMINE_API_KEY", sandbox.sandbox.api_key("alice"))
    code, out, _ = await run("doctor")
    monkeypatch.setenv("REDMINE_API_KEY", "0" * 40)
    refused, told, _ = await run("doctor")

    assert code == 0, out
    assert "The API key is alice's" in out
    assert (refused, "Redmine knows no such API key" in told) == (1, True)


async def test_keys_that_were_changed(
    configured: Run, sandbox: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of another key are counted, and a file that others may read is told."""
    store = f"sqlite:///{tmp_path}/tokens.sqlite3"
    async with running_server(sandbox, token_store_url=store) as server:
        await sign_in(server.url)
    well, good, _ = await configured("doctor")
    (tmp_path / "tokens.sqlite3").chmod(0o644)
    monkeypatch.setenv("JWT_SIGNING_KEY", "k" * 32)
    code, out, _ = await configured("doctor")

    assert well == 0, good
    assert "1 sign-in got through" in good
    assert code == 1
    assert "open with none of the keys" in out
    assert "Other users of this machine may read tokens.sqlite3" in out


async def test_a_store_that_is_away(configured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said without the password of its address."""
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    monkeypatch.setenv("TOKEN_STORE_URL", url)
    code, out, _ = await configured("doctor")

    assert code == 1
    assert "cannot be used" in out
    assert "secret@" not in out


async def test_the_port_is_another_programs(
    configured: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that is taken is told."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("MCP_PORT", str(other.getsockname()[1]))
        monkeypatch.setattr("redmine_mcp_core.checks.server.HEALTH_SECONDS", 0.2)
        code, out, _ = await configured("doctor")

    assert code == 1
    assert "Another program listens" in out


async def test_beside_a_running_server(
    configured: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reached by the address that clients use; one that leads to another server is told."""
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    async with running_server(sandbox, port=port):
        code, out, _ = await configured("doctor")
        monkeypatch.setenv("MCP_PUBLIC_URL", f"http://localhost:{port}")
        other, told, _ = await configured("doctor")

    assert code == 0, out
    assert "is served by redmine-mcp" in out
    assert "gets to this server" in out
    assert (other, "says that it is" in told) == (1, True)


async def test_beside_the_server_of_another_set_up(
    configured: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has our address and another Redmine, as a demo left running has, is not ours."""
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    monkeypatch.setenv("REDMINE_URL", sandbox.url.replace("127.0.0.1", "localhost"))
    async with running_server(sandbox, port=port):
        code, out, _ = await configured("doctor")

    assert code == 1
    assert "stands before another Redmine" in out


@asynccontextmanager
async def proxy(target: str, host: str | None) -> AsyncIterator[str]:
    """A proxy before a server, which calls it by this name or by the client's."""
    port = free_port()

    async def forward(request: Request) -> Response:
        headers = {**dict(request.headers), **({"host": host} if host else {})}
        async with httpx.AsyncClient() as http:
            answer = await http.request(
                request.method,
                f"{target}{request.url.path}",
                content=await request.body(),
                headers=headers,
            )
        return Response(answer.content, answer.status_code, media_type="application/json")

    routes = [Route("/{path:path}", forward, methods=["GET", "POST"])]
    async with serving(Starlette(routes=routes), port):
        yield f"http://localhost:{port}"


@pytest.mark.parametrize(
    ("host", "said"),
    [(None, "gets to this server"), ("internal.example", "by another name")],
    ids=["as clients call it", "by a name of its own"],
)
async def test_behind_a_proxy(
    configured: Run,
    sandbox: Target,
    monkeypatch: pytest.MonkeyPatch,
    host: str | None,
    said: str,
) -> None:
    """Whether the Host header comes through; that no proxy is trusted is a word besides."""
    port = free_port()
    monkeypatch.setenv("MCP_PORT", str(port))
    async with proxy(f"http://127.0.0.1:{port}", host) as public:
        monkeypatch.setenv("MCP_PUBLIC_URL", public)
        async with running_server(sandbox, port=port, mcp_public_url=public):
            code, out, _ = await configured("doctor")

    assert said in out
    assert code == (0 if host is None else 1)
    assert "MCP_TRUSTED_PROXIES" in out


async def test_several_redmines(
    configured: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is looked at under its own name."""
    monkeypatch.setenv("MCP_REDMINES", "intern kunden")
    for name in ("INTERN", "KUNDEN"):
        monkeypatch.setenv(f"REDMINE_{name}_URL", sandbox.url)
        monkeypatch.setenv(f"REDMINE_{name}_CLIENT_ID", sandbox.client_id)
        monkeypatch.setenv(f"REDMINE_{name}_CLIENT_SECRET", sandbox.client_secret)
    monkeypatch.setenv("REDMINE_KUNDEN_CLIENT_SECRET", "another-secret-of-many-letters")
    code, out, _ = await configured("doctor")

    assert code == 1
    assert "Redmine intern" in out
    assert out.index("OAuth application kunden") < out.index("✗")
