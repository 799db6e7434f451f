"""``connect login``, ``connect logout`` and ``connect doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from redmine_mcp_core.connect import ConnectError, Options, sign_out
from redmine_mcp_core.connect.doctor import Finding, examine
from tests.connect.bridges import Home
from tests.connect.certificates import certificate, serving_tls
from tests.connect.people import Clicking, connected
from tests.connect.test_signing_in import metadata_with
from tests.connect.theirs import Theirs, running_theirs
from tests.support.servers import free_port


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


async def sign_in(theirs: Theirs) -> None:
    async with connected(theirs.url, Clicking()) as connection:
        assert await connection.add() == 3


async def findings(url: str, **options: Any) -> list[Finding]:
    return [finding async for finding in examine(Options(url=url, store="file", **options))]


def said_in(found: list[Finding]) -> str:
    return "\n".join(finding.what for finding in found)


async def test_login_doctor_and_logout_as_they_are_typed(theirs: Theirs, home: Home) -> None:
    """What is signed in is found, and can be signed out: revoked there, forgotten here."""
    login = await home.run("connect", "login", theirs.url)
    signed_in = dict(theirs.auth.refresh_tokens)
    doctor = await home.run("connect", "doctor", theirs.url)
    logout = await home.run("connect", "logout", theirs.url)

    assert login[:2] == (0, f"Signed in to {theirs.url}.\n")
    assert len(signed_in) == 1
    assert (doctor[0], "✗" in doctor[1], "is accepted" in doctor[1]) == (0, False, True)
    assert logout[:2] == (0, f"Signed out of {theirs.url}: revoked there and forgotten here.\n")
    assert theirs.auth.refresh_tokens == {}
    assert theirs.auth.access_tokens == {}
    assert [path.name for path in home.store.iterdir() if path.suffix != ".lock"] == ["key"]


async def test_login_says_why_it_failed(home: Home) -> None:
    """One sentence and no log line: it is the wrong address, or nobody listens, also where a
    sign-in is kept that cannot be tried."""
    async with running_theirs() as theirs:
        await home.run("connect", "login", theirs.url)
        wrong = await home.run("connect", "login", theirs.url.replace("/mcp", "/nowhere"))
    away = await home.run("connect", "login", f"http://127.0.0.1:{free_port()}/mcp")
    stopped = await home.run("connect", "login", theirs.url)

    for (code, out, err), why in (
        (wrong, "is no MCP endpoint (404): its address often ends in /mcp."),
        (away, "cannot be reached"),
        (stopped, "cannot be reached"),
    ):
        assert (code, out) == (1, "")
        assert err.startswith("✗ ")
        assert len(err.splitlines()) == 1, err
        assert why in err


async def test_logout_of_nobody(theirs: Theirs) -> None:
    """It says so, and is no error."""
    assert "Nobody was signed in" in await sign_out(Options(url=theirs.url, store="file"))


async def test_a_server_that_cannot_revoke(theirs: Theirs) -> None:
    """The sign-in is forgotten here all the same, and the person is told the rest."""
    await sign_in(theirs)
    theirs.front.once(lambda seen: seen.path == "/revoke", JSONResponse({}, status_code=503), 9)
    options = Options(url=theirs.url, store="file")
    with pytest.raises(ConnectError, match="not revoked at the server"):
        await sign_out(options)

    assert "Nobody was signed in" in await sign_out(options)


async def test_a_server_that_is_well(theirs: Theirs) -> None:
    """From the outside in, everything is right, and nothing has changed."""
    found = await findings(theirs.url)

    assert all(finding.is_right for finding in found)
    for line in (
        "127.0.0.1 is 127.0.0.1",
        f"{theirs.url} wants a sign-in, and says where",
        f"It is the resource {theirs.url}",
        "It knows PKCE with S256",
        "Ways to sign in: browser; it revokes tokens",
        "It registers clients at",
        "Nobody is signed in yet; it would be kept in",
    ):
        assert line in said_in(found)
    assert theirs.auth.clients == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"registration_endpoint": None}, "It registers no clients by itself"),
        ({"issuer": "https://evil.example"}, "issuer mismatch"),
        ({"code_challenge_methods_supported": None}, "names no PKCE method"),
    ],
)
async def test_odd_metadata(theirs: Theirs, changes: dict[str, str | None], says: str) -> None:
    """Each thing that is wrong has a line, and what to do about it."""
    await metadata_with(theirs, **changes)
    wrong = [finding for finding in await findings(theirs.url) if not finding.is_right]

    assert says in said_in(wrong)
    assert all(finding.advice for finding in wrong)


async def test_a_stale_sign_in(theirs: Theirs) -> None:
    """A sign-in that the server does not accept any more is found out."""
    await sign_in(theirs)
    theirs.expire_access_tokens()
    last = (await findings(theirs.url))[-1]

    assert not last.is_right
    assert last.what.endswith("is not accepted")
    assert last.advice == f"Sign in again: redmine-mcp connect login {theirs.url}"


async def test_certificates(tmp_path: Path) -> None:
    """One that is not trusted ends the examination; --ca-bundle is what to do about it."""
    bundle, context = certificate(tmp_path)
    async with serving_tls(context, []) as url:
        refused = await findings(url)
        trusted = await findings(url, ca_bundle=bundle)

    assert "is not trusted" in refused[-1].what
    assert "--ca-bundle" in refused[-1].advice
    assert "The certificate is trusted, for 30 more days" in said_in(trusted)
    assert f"{url} answers without a sign-in" in said_in(trusted)


async def test_where_nothing_is(theirs: Theirs) -> None:
    """It stops where going on makes no sense."""
    nothing = await findings(f"http://127.0.0.1:{free_port()}/mcp")
    nowhere = await findings("https://nowhere.invalid/mcp")
    elsewhere = await findings(theirs.url.replace("/mcp", "/elsewhere"))

    assert "accepts no connection" in nothing[-1].what
    assert "nowhere.invalid has no address" in nowhere[-1].what
    assert "It often ends in /mcp" in elsewhere[-1].advice


async def test_an_address_that_is_not_safe(home: Home) -> None:
    """Exit code 2, one sentence, and what to do."""
    code, _, problem = await home.run("connect", "http://redmine.example/mcp")

    assert code == 2
    assert problem.startswith(
        "✗ http://redmine.example is not encrypted: use https, or --allow-http"
    )
