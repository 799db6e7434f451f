"""Signing in at a server that is not ours: which client, which way, and when again."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl
from starlette.responses import JSONResponse

from redmine_mcp_core.connect import Options
from redmine_mcp_core.connect.vault import Vault
from tests.connect.people import Clicking, connected
from tests.connect.theirs import Seen, Theirs
from tests.support.servers import free_port

METADATA = "/.well-known/oauth-authorization-server"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def is_refresh(seen: Seen) -> bool:
    return seen.path == "/token" and b"grant_type=refresh_token" in seen.body


def is_call(seen: Seen) -> bool:
    return seen.method == "tools/call"


def refreshes(theirs: Theirs) -> int:
    return sum(is_refresh(seen) for seen in theirs.front.seen)


async def metadata_with(theirs: Theirs, **changes: Any) -> None:
    """Have the server describe itself differently."""
    async with httpx.AsyncClient() as http:
        told = (await http.get(theirs.url.replace("/mcp", METADATA))).json()
    changed = JSONResponse(told | changes)
    theirs.front.once(lambda seen: seen.path == METADATA, changed, times=100)


def known_client(theirs: Theirs, client_id: str, port: int, secret: str | None = None) -> None:
    """Have the server know a client beforehand."""
    theirs.auth.clients[client_id] = OAuthClientInformationFull(
        client_id=client_id,
        client_secret=secret,
        token_endpoint_auth_method="client_secret_post" if secret else "none",
        redirect_uris=[AnyUrl(f"http://127.0.0.1:{port}/callback")],
        scope="read write",
    )


async def test_a_sign_in_lasts(theirs: Theirs) -> None:
    """A person signs in once; later connections find the tokens and the registration."""
    person = Clicking()
    for _ in range(2):
        async with connected(theirs.url, person) as connection:
            assert await connection.add() == 3

    assert len(person.shown) == 1
    assert theirs.front.count("/register") == 1
    assert "close this tab" in person.pages[0]


async def test_a_client_that_was_registered_beforehand(theirs: Theirs) -> None:
    """With --client-id nobody is registered, and the secret is used."""
    port = free_port()
    known_client(theirs, "the-client", port, secret="the-secret")
    options = {"client_id": "the-client", "client_secret": "the-secret", "callback_port": port}
    async with connected(theirs.url, Clicking(), **options) as connection:
        assert await connection.add() == 3

    assert theirs.front.count("/register") == 0
    assert {token.client_id for token in theirs.auth.access_tokens.values()} == {"the-client"}


async def test_a_client_that_a_document_describes(theirs: Theirs) -> None:
    """Where the server reads client ID metadata documents, ours is named before we register."""
    port, document = free_port(), "https://client.example/metadata.json"
    known_client(theirs, document, port)
    await metadata_with(theirs, client_id_metadata_document_supported=True)
    options = {"client_metadata_url": document, "callback_port": port}
    async with connected(theirs.url, Clicking(), **options) as connection:
        assert await connection.add() == 3

    assert theirs.front.count("/register") == 0


async def test_a_document_is_not_named_where_it_is_not_read(theirs: Theirs) -> None:
    """Else the client registers, as without a document."""
    document = "https://client.example/metadata.json"
    async with connected(theirs.url, Clicking(), client_metadata_url=document) as connection:
        assert await connection.add() == 3

    assert theirs.front.count("/register") == 1


async def test_no_registration_and_no_client(theirs: Theirs) -> None:
    """Where nobody can register, the person is told what to ask their administrator for."""
    await metadata_with(theirs, registration_endpoint=None)
    async with connected(theirs.url, Clicking()) as connection:
        said = await connection.add()

    assert re.search(
        r"redirect URI http://127.0.0.1:\d+/callback, and give it as --client-id", said
    )


async def test_a_rejected_token_is_refreshed_once(theirs: Theirs) -> None:
    """401 leads to one refresh, not to the browser."""
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        await connection.add()
        theirs.expire_access_tokens()
        assert await connection.add() == 3

    assert len(person.shown) == 1
    assert refreshes(theirs) == 1


async def test_a_token_that_runs_out_is_refreshed_before(theirs: Theirs) -> None:
    """A token that is about to end is not sent any more."""
    person = Clicking()
    vault = Vault(Options(url=theirs.url, store="file"))
    async with connected(theirs.url, person) as connection:
        await connection.add()
    record = await vault.read()
    assert record.tokens
    record.tokens.expires_at = 1
    await vault.write(record)
    refused = sum(seen.path == "/mcp" for seen in theirs.front.seen)
    async with connected(theirs.url, person) as connection:
        assert await connection.add() == 3

    assert sum(seen.path == "/mcp" for seen in theirs.front.seen) == refused + 1
    assert len(person.shown) == 1


async def test_many_requests_share_one_refresh(theirs: Theirs) -> None:
    """What is asked at once, in this bridge and another one, waits for one refresh."""
    person = Clicking()
    async with (
        connected(theirs.url, person) as connection,
        connected(theirs.url, person) as other,
    ):
        await connection.add()
        await other.add()
        theirs.expire_access_tokens()
        said = await asyncio.gather(*(each.add() for each in (connection, other) for _ in range(4)))

    assert said == [3] * 8
    assert refreshes(theirs) == 1
    assert len(person.shown) == 1


async def test_a_refresh_token_that_is_refused(theirs: Theirs) -> None:
    """Then the person signs in again, with the same registration."""
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        await connection.add()
        theirs.expire_access_tokens()
        theirs.auth.refresh_tokens.clear()
        assert await connection.add() == 3

    assert len(person.shown) == 2
    assert theirs.front.count("/register") == 1


async def test_an_outage_signs_nobody_out(theirs: Theirs) -> None:
    """While the authorization server is down requests fail, and nothing is forgotten."""
    person = Clicking()
    theirs.front.once(is_refresh, JSONResponse({}, status_code=503))
    async with connected(theirs.url, person) as connection:
        await connection.add()
        theirs.expire_access_tokens()
        during = await connection.add()
        after = await connection.add()

    assert "503" in during
    assert after == 3
    assert len(person.shown) == 1


async def test_a_scope_that_is_missing(theirs: Theirs) -> None:
    """403 insufficient_scope asks the person for what is missing besides what they had."""
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="write"'}
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        await connection.add()
        theirs.front.once(is_call, JSONResponse({}, status_code=403, headers=challenge))
        assert await connection.add() == 3

    asked = [httpx.URL(address).params["scope"] for address in person.shown]
    assert asked == ["read", "read write"]


async def test_a_403_that_no_scope_cures(theirs: Theirs) -> None:
    """Any other 403 is the server's answer."""
    theirs.front.once(is_call, JSONResponse({}, status_code=403))
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        said = await connection.add()

    assert "403" in said
    assert person.shown == []


@pytest.mark.parametrize("tokens_live", [True, False])
async def test_a_registration_that_went_stale_heals(theirs: Theirs, tokens_live: bool) -> None:
    """A server that has lost its clients gets ours anew, once, and without an error page."""
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        await connection.add()
    theirs.auth.clients.clear()
    theirs.auth.access_tokens.clear()
    if not tokens_live:
        theirs.auth.refresh_tokens.clear()
        vault = Vault(Options(url=theirs.url, store="file"))
        record = await vault.read()
        record.tokens = None
        await vault.write(record)
    async with connected(theirs.url, person) as connection:
        assert await connection.add() == 3

    assert theirs.front.count("/register") == 2
    assert len(person.shown) == 2


async def test_a_busy_port(theirs: Theirs) -> None:
    """Where the port is taken, the browser comes back to another one."""
    port = Vault(Options(url=theirs.url)).port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        async with connected(theirs.url, Clicking()) as connection:
            assert await connection.add() == 3


async def test_without_a_browser_the_address_is_told(theirs: Theirs) -> None:
    """--no-browser opens nothing; a browser that reaches this machine ends the sign-in."""
    person = Clicking(browser=False)
    async with connected(theirs.url, person, browser=False) as connection:
        asking = asyncio.create_task(connection.add())
        await person.was_told.wait()
        address = re.findall(r"http://\S+", person.told[0])[0]
        await person.visit(address)
        assert await asking == 3

    assert person.shown == []


async def test_a_pasted_callback(theirs: Theirs) -> None:
    """The address that a far browser ended at is as good as the browser itself."""

    class Pasting(Clicking):
        lines: ClassVar = ["what?", "http://127.0.0.1:1/callback?code=x&state=another"]

        async def read_line(self) -> str:
            if self.lines:
                return self.lines.pop()
            address = re.findall(r"http://\S+", self.told[0])[0]
            async with httpx.AsyncClient() as http:
                return str((await http.get(address)).headers["location"])

    person = Pasting(browser=False, terminal=True)
    async with connected(theirs.url, person, browser=False) as connection:
        assert await connection.add() == 3

    assert sum("not where this sign-in ends" in told for told in person.told) == 2


async def test_a_person_who_refuses(theirs: Theirs) -> None:
    """A refusal is told, and nobody is asked again at once."""
    person = Clicking({"error": "access_denied", "error_description": "Not today"})
    async with connected(theirs.url, person) as connection:
        said = [await connection.add() for _ in range(2)]

    assert said == ["Not signed in: Not today."] * 2
    assert len(person.shown) == 1


async def test_nobody_comes(theirs: Theirs) -> None:
    """After a while the request fails, and says so."""
    person = Clicking(browser=False)
    async with connected(theirs.url, person, browser=False, sign_in_timeout=0.1) as connection:
        assert "within 0.1 seconds" in await connection.add()


@pytest.mark.parametrize("change", [{"state": "forged"}, {"iss": "https://evil.example"}])
async def test_an_answer_that_is_not_for_us(theirs: Theirs, change: dict[str, str]) -> None:
    """A wrong state is turned away (RFC 6749 10.12), another issuer refused (RFC 9207)."""
    person = Clicking(change)
    async with connected(theirs.url, person, sign_in_timeout=1) as connection:
        said = await connection.add()

    assert "within 1 seconds" in said or "iss mismatch" in said
    assert theirs.front.count("/token") == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"authorization_endpoint": "http://10.0.0.1/authorize"}, "not encrypted"),
        ({"token_endpoint": "http://10.0.0.1/token"}, "not encrypted"),
        ({"issuer": "https://evil.example"}, "issuer mismatch"),
        ({"code_challenge_methods_supported": ["plain"]}, "PKCE"),
        ({"device_authorization_endpoint": "file:///etc/passwd"}, "no web address"),
    ],
)
async def test_metadata_that_is_not_safe_to_follow(
    theirs: Theirs, changes: dict[str, Any], says: str
) -> None:
    """No browser opens and no secret leaves for an address that is not what it should be."""
    await metadata_with(theirs, **changes)
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        assert says in await connection.add()

    assert person.shown == []


async def test_a_token_for_another_resource(theirs: Theirs) -> None:
    """A server that says it is another one is believed only with --resource."""
    other = theirs.url.replace("/mcp", "/other")
    path = "/.well-known/oauth-protected-resource/mcp"
    told = {"resource": other, "authorization_servers": [theirs.url.removesuffix("mcp")]}
    theirs.front.once(lambda seen: seen.path == path, JSONResponse(told), times=100)
    person = Clicking()
    async with connected(theirs.url, person) as connection:
        refused = await connection.add()
    async with connected(theirs.url, person, resource=other) as connection:
        assert await connection.add() == 3

    assert f"--resource {other}" in refused
    assert httpx.URL(person.shown[0]).params["resource"] == other


async def test_a_server_without_metadata(theirs: Theirs) -> None:
    """The endpoints of MCP 2025-03-26 are tried where a server describes nothing."""
    theirs.front.once(
        lambda seen: seen.path.startswith("/.well-known/"),
        JSONResponse({}, status_code=404),
        times=100,
    )
    async with connected(theirs.url, Clicking()) as connection:
        assert await connection.add() == 3
