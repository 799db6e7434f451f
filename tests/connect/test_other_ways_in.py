"""Signing in without a browser here: a device code, a service token, a header of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp.server.auth.provider import AccessToken

from redmine_mcp_core.connect import ConnectError, Options, read_options
from redmine_mcp_core.connect.person import Person
from redmine_mcp_core.connect.running import signed_in_client
from tests.connect.devices import Devices
from tests.connect.people import Clicking, connected
from tests.connect.test_signing_in import metadata_with
from tests.connect.theirs import Theirs


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def service_token(theirs: Theirs, token: str) -> str:
    theirs.auth.access_tokens[token] = AccessToken(token=token, client_id="ci", scopes=["read"])
    return token


async def test_a_device_code(theirs: Theirs) -> None:
    """--device tells a code, waits for the person, and asks as slowly as it is told."""
    devices = Devices(theirs, "authorization_pending")
    await metadata_with(theirs, device_authorization_endpoint=devices.endpoint)
    person = Clicking(browser=False)
    async with connected(theirs.url, person, device=True, browser=False) as connection:
        assert await connection.add() == 3

    assert "WDJB-MJHT" in person.told[0]
    assert [form.get("scope") for form in devices.asked] == ["read", None, None]


async def test_neither_browser_nor_terminal(theirs: Theirs) -> None:
    """A device code is what is left, where the server offers one."""
    devices = Devices(theirs)
    await metadata_with(theirs, device_authorization_endpoint=devices.endpoint)
    person = Clicking(browser=False, terminal=False)
    async with connected(theirs.url, person, browser=False) as connection:
        assert await connection.add() == 3


@pytest.mark.parametrize("answer", ["access_denied", "expired_token"])
async def test_a_device_code_that_leads_nowhere(theirs: Theirs, answer: str) -> None:
    """The server's last word ends the waiting."""
    devices = Devices(theirs, answer)
    await metadata_with(theirs, device_authorization_endpoint=devices.endpoint)
    async with connected(theirs.url, Clicking(browser=False), device=True) as connection:
        assert answer in await connection.add()


async def test_a_server_without_device_codes(theirs: Theirs) -> None:
    """--device says so where it cannot work."""
    async with connected(theirs.url, Clicking(), device=True) as connection:
        assert "offers no sign-in with a device code" in await connection.add()


async def test_a_service_token(theirs: Theirs, tmp_path: Path) -> None:
    """A token from a file is sent as it is; once rejected, the file is read again."""
    path = tmp_path / "token"
    path.write_text(service_token(theirs, "one") + "\n")
    person = Clicking()
    async with connected(theirs.url, person, token_file=path) as connection:
        first = await connection.add()
        theirs.auth.access_tokens.clear()
        rejected = await connection.add()
        path.write_text(service_token(theirs, "two"))
        renewed = await connection.add()

    assert (first, renewed) == (3, 3)
    assert "401" in rejected
    assert person.shown == []
    assert theirs.front.count("/register") == 0


async def test_a_token_in_the_environment(theirs: Theirs) -> None:
    """MCP_CONNECT_TOKEN does the same."""
    token = service_token(theirs, "of-the-environment")
    options = read_options(theirs.url, environment={"MCP_CONNECT_TOKEN": token})
    async with signed_in_client(options, Clicking()) as http:
        answer = await http.get(theirs.url)

    assert answer.status_code != 401


async def test_a_header_of_ones_own(theirs: Theirs) -> None:
    """Headers go to the MCP server and to nobody else; with Authorization nobody signs in."""
    token = service_token(theirs, "of-the-header")
    person = Clicking()
    async with connected(theirs.url, person, headers={"X-Team": "alpha"}) as connection:
        assert await connection.add() == 3
    own = {"Authorization": f"Bearer {token}"}
    async with connected(theirs.url, person, headers=own) as connection:
        assert await connection.add() == 3

    with_header = {seen.path for seen in theirs.front.seen if "x-team" in seen.headers}
    assert with_header == {"/mcp"}
    assert len(person.shown) == 1


def test_headers_as_they_are_typed() -> None:
    """A header is "Name: value", and a variable in it has to be there."""
    url, typed = "https://x.example/mcp", ["X-Key: a ${KEY}"]
    told = read_options(url, header=typed, environment={"KEY": "b"})
    for header in ("nonsense", "X-Key: ${MISSING}"):
        with pytest.raises(ConnectError):
            read_options("https://x.example/mcp", header=[header], environment={})

    assert told.headers == {"X-Key": "a b"}


def test_no_escape_sequence_reaches_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What a server has a say in cannot rewrite the terminal that it is told on."""
    Person(browser=True).tell("Open \x1b]0;title\x07https://x.example\nand \u202eenter")

    assert capsys.readouterr().err == "Open ]0;titlehttps://x.example\nand enter\n"


def test_secrets_are_not_shown() -> None:
    """Neither a token nor a secret is in what an error or a log may quote."""
    environment = {"MCP_CONNECT_TOKEN": "hush", "MCP_CONNECT_CLIENT_SECRET": "hush"}

    assert "hush" not in repr(read_options("https://x.example/mcp", environment=environment))


@pytest.mark.parametrize(
    "url", ["http://redmine.example/mcp", "ftp://x.example", "javascript:alert(1)", "nonsense", ""]
)
def test_addresses_that_are_refused(url: str) -> None:
    """Only https, or http on this machine."""
    with pytest.raises(ConnectError):
        read_options(url, environment={})


@pytest.mark.parametrize("url", ["http://localhost/mcp", "http://127.0.0.1:1/", "http://[::1]/mcp"])
def test_addresses_on_this_machine(url: str) -> None:
    """Here nobody listens in; elsewhere --allow-http says that it is all right."""
    assert isinstance(read_options(url, environment={}), Options)
    assert read_options("http://redmine.example/mcp", environment={}, allow_http=True)
