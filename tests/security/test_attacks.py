"""Attacks on the sign-in, as an attacker would make them: each was tried, and must not work.

Those that did work once say in their names what they would have won. What RFC 9700 names stands in
``test_rfc9700.py``.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.upstream import RedmineTokenClient
from redmine_mcp_core.redmine import Circuit, Credential, Fence, Forbidden, Redmine
from redmine_mcp_core.selection import Selection
from redmine_mcp_core.storage import StoreUnavailable
from tests.auth.conftest import ping, redmine_token, sandbox_of
from tests.auth.test_accounts import add
from tests.auth.test_key_login import keyed as keyed  # a fixture
from tests.auth.test_key_login import open_key_page, sign_in_by_key
from tests.auth.test_session_life import becomes_revoked, proxy_of, revoke
from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    authorize,
    log_in_to_redmine,
    pkce,
    redeem,
    refresh,
    register,
    sign_in,
)
from tests.test_several import Both
from tests.test_several import both as both  # a fixture

EVIL = "https://evil.example/phishing"
HTML = {"Accept": "text/html"}


def address(server: Running, client_id: str, challenge: str, **params: str) -> str:
    """Where a client sends a person to."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": "the-state",
        **params,
    }
    return str(httpx.URL(f"{server.url}/authorize", params=query))


async def begun(server: Running, client_id: str, challenge: str, **params: str) -> tuple[str, str]:
    """A sign-in that a client began by itself: the consent page's address and its transaction."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(address(server, client_id, challenge, **params))
    consent = answer.headers["location"]
    return consent, parse_qs(urlsplit(consent).query)["txn_id"][0]


# -- The consent page -----------------------------------------------------------------------------


async def test_who_allows_to_read_is_not_made_to_allow_more(redmine: Target) -> None:
    """A client that knows its own transaction learns, in a browser of its own, the address at
    Redmine; it lures the person, who allowed reading, to that one. What Redmine then grants beyond
    the person's choice signs nobody in."""
    async with (
        running_server(redmine) as server,
        Browser(REDIRECT_URI) as attacker,
        Browser(REDIRECT_URI) as person,
    ):
        consent, _ = await begun(server, await register(server.url), pkce()[1])
        answers = []
        for browser, limit in ((attacker, "all"), (person, "read")):
            await browser.visit(consent)
            allowed = {**browser.form("csrf_token").fields, "action": "approve", "limit": limit}
            answers.append(await browser._http.post(consent, data=allowed))
        for_everything, to_read = (answer.headers["location"] for answer in answers)
        await person.visit(for_everything)
        await log_in_to_redmine(person, "alice", "password1234")

        assert len(for_everything) > len(to_read)
        assert person.arrived is None
        assert person.page.status_code >= 400
        assert "more than was allowed" in person.page.text


async def test_a_form_widens_nothing(server: Running) -> None:
    """Neither by a scope that was not asked for nor by one that was not offered."""
    client_id = await register(server.url)
    verifier, challenge = pkce()
    consent, _ = await begun(server, client_id, challenge, scope="view_issues")
    async with Browser(REDIRECT_URI) as person:
        await person.visit(consent)
        ticked = ["view_issues", "delete_issues", "admin"]
        form = person.form("csrf_token")
        await person.submit(form, action="approve", limit="some", scope=ticked, way="key-login")
        await log_in_to_redmine(person, "alice", "password1234")
        assert person.arrived
        code = person.arrived.params["code"]
    answer = await redeem(server.url, client_id, code, verifier)

    assert answer.json()["scope"] == "view_issues"


async def test_a_form_that_is_not_ours_changes_nothing(server: Running) -> None:
    """Not even the scopes of a sign-in whose number somebody knows."""
    _, txn_id = await begun(server, await register(server.url), pkce()[1])
    before = await proxy_of(server).transaction(txn_id)
    forged = {"txn_id": txn_id, "action": "approve", "limit": "some", "scope": "view_issues"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{server.url}/consent", data=forged)

    assert answer.status_code in {400, 403}
    assert await proxy_of(server).transaction(txn_id) == before


# -- Open redirection -----------------------------------------------------------------------------


async def test_no_link_to_the_callback_leads_to_a_stranger(server: Running) -> None:
    """Anybody may register any https address and begin a sign-in. A link with an error to our
    callback takes nobody there who has not seen our page in this browser."""
    client_id = await register(server.url, redirect_uris=[EVIL])
    _, txn_id = await begun(server, client_id, pkce()[1], redirect_uri=EVIL)
    link = {"error": "access_denied", "error_description": "Log in again", "state": txn_id}
    async with httpx.AsyncClient(headers=HTML) as victim:
        answer = await victim.get(f"{server.url}/auth/callback", params=link)

    assert answer.status_code == 403
    assert "location" not in answer.headers
    assert "Log in again" not in answer.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "bogus"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"resource": "https://other.example/mcp"},
    ],
)
async def test_no_wrong_request_leads_to_a_stranger(server: Running, wrong: dict[str, str]) -> None:
    """An error of the authorization endpoint takes a person to no other site by itself."""
    client_id = await register(server.url, redirect_uris=[EVIL])
    link = address(server, client_id, pkce()[1], **{"redirect_uri": EVIL, **wrong})
    async with httpx.AsyncClient(headers=HTML) as victim:
        answer = await victim.get(link)

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "evil.example" not in answer.text


# -- Sessions -------------------------------------------------------------------------------------


async def test_a_refresh_under_way_does_not_outlive_the_end(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds a stolen refresh token refreshes just while its owner signs out: when both are
    done, no token of either is good."""
    tokens = await sign_in(server.url)
    asked, goes_on = asyncio.Event(), asyncio.Event()
    ask = RedmineTokenClient.refresh_token

    async def slow(self: RedmineTokenClient, url: str, **params: Any) -> dict[str, Any]:
        answer = await ask(self, url, **params)
        asked.set()
        await goes_on.wait()
        return answer

    monkeypatch.setattr(RedmineTokenClient, "refresh_token", slow)
    acquire = server.host.store.acquire_lock
    waiting = asyncio.Event()

    async def acquired(*args: Any, **options: Any) -> int | None:
        fence = await acquire(*args, **options)
        if fence is None:
            waiting.set()
        return fence

    thief = asyncio.create_task(refresh(server.url, tokens))
    await asked.wait()
    monkeypatch.setattr(server.host.store, "acquire_lock", acquired)
    owner = asyncio.create_task(revoke(server, tokens.access, tokens.client_id))
    await asyncio.wait([asyncio.create_task(waiting.wait()), owner], return_when="FIRST_COMPLETED")
    goes_on.set()
    stolen, ended = (await thief).json(), await owner

    assert ended.status_code == 200
    for token in (tokens.access, stolen.get("access_token", "")):
        assert (await ping(server, token)).status_code == 401


async def test_nobody_renews_a_session_that_has_ended(server: Running) -> None:
    """A request that waited for the lock of a session finds it gone, and writes nothing back."""
    tokens = await sign_in(server.url)
    proxy = proxy_of(server)
    session_id = await proxy.session_id_of(tokens.access)
    stored = await proxy.upstream_tokens(session_id or "")
    assert stored is not None
    await revoke(server, tokens.access, tokens.client_id)
    before = sandbox_of(server).hits("/oauth/token")
    with pytest.raises(LookupError):
        await proxy.refresh_upstream(stored)

    assert await proxy.upstream_tokens(stored.upstream_token_id) is None
    assert sandbox_of(server).hits("/oauth/token") == before


async def test_what_was_revoked_stays_so_while_the_store_is_away(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory that helps over an outage holds nobody who was refused or signed out."""
    tokens, others = await sign_in(server.url), await sign_in(server.url, "bob")
    for known in (tokens, others):
        assert (await ping(server, known.access)).status_code == 200
    await revoke(server, tokens.access, tokens.client_id)

    async def away(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("The token store is away.")

    for operation in ("get", "put", "acquire_lock"):
        monkeypatch.setattr(server.host.store, operation, away)

    assert (await ping(server, others.access)).status_code == 200
    assert (await ping(server, tokens.access)).status_code == 503


async def test_a_session_that_ended_by_half_is_revoked_in_redmine(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store fails between two steps of the end; nobody could come back to what is forgotten,
    so Redmine has been told by then."""
    tokens = await sign_in(server.url)
    await ping(server, tokens.access)
    upstream = redmine_token(server)
    proxy = proxy_of(server)

    async def away(*_: Any) -> None:
        raise StoreUnavailable("The token store is away.")

    monkeypatch.setattr(proxy.sessions, "forget", away)
    answer = await revoke(server, tokens.access, tokens.client_id)

    assert answer.status_code == 503
    assert await becomes_revoked(server, upstream)
    assert (await ping(server, tokens.access)).status_code == 401


async def test_no_token_outlives_its_session(sandbox: Target) -> None:
    """Redmine's tokens are good for two hours; where a session ends before, so do they."""
    async with running_server(sandbox, mcp_session_days=0.005) as server:
        client_id = await register(server.url)
        verifier, challenge = pkce()
        arrived = await authorize(
            server.url, client_id, "alice", "password1234", challenge=challenge
        )
        answer = await redeem(server.url, client_id, arrived.params["code"], verifier)

    assert answer.json()["expires_in"] <= 0.005 * 86_400


# -- API keys -------------------------------------------------------------------------------------


async def test_a_key_is_not_planted_into_the_sign_in_of_another(keyed: Running) -> None:
    """The code for the attacker's own key finishes the attacker's own sign-in alone. Else a person
    would work, unnoticed, in the attacker's account."""
    async with Browser(REDIRECT_URI) as attacker, Browser(REDIRECT_URI) as person:
        await open_key_page(keyed, attacker, pkce()[1])
        mallory = {"api_key": sandbox_of(keyed).api_key("bob")}
        sent = await attacker._http.post(attacker.url, data=mallory)
        code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
        await open_key_page(keyed, person, pkce()[1])
        state = parse_qs(urlsplit(person.url).query)["txn_id"][0]
        await person.visit(f"{keyed.url}/auth/callback?code={code}&state={state}")

        assert person.arrived is None
        assert person.page.status_code >= 400


STRANGE_KEYS = ["a\r\nX-Redmine-Switch-User: admin", "a\0b", "a\nb", "é" * 20, "☃"]


async def test_no_strange_key_takes_redmine_away(keyed: Running) -> None:
    """A key that no header can hold is a wrong key: it is sent nowhere, and does not make the
    server believe that Redmine is away, for everybody."""
    before = sandbox_of(keyed).hits("/my/account.json")
    async with Browser(REDIRECT_URI) as anybody:
        await open_key_page(keyed, anybody, pkce()[1])
        for key in STRANGE_KEYS:
            answer = await anybody._http.post(anybody.url, data={"api_key": key})
            assert answer.status_code == 403, key

    assert keyed.host.gateway.circuit is Circuit.CLOSED
    assert sandbox_of(keyed).hits("/my/account.json") == before
    assert await sign_in_by_key(keyed, sandbox_of(keyed).api_key("bob"))


async def test_a_key_shows_in_no_address(keyed: Running) -> None:
    """Addresses stand in histories, logs and referrers: the key goes in the body of a form, and
    what follows has a code that is good once."""
    key = sandbox_of(keyed).api_key("bob")
    async with Browser(REDIRECT_URI) as person:
        await open_key_page(keyed, person, pkce()[1])
        refused = await person._http.get(person.url, params={"api_key": key})
        sent = await person._http.post(person.url, data={"api_key": key})

    assert key not in refused.text
    assert key not in sent.headers["location"]
    assert sent.status_code == 303


async def test_headers_that_contradict_are_no_way_round(sandbox: Target) -> None:
    """One credential counts, the one in ``Authorization``; a bad one is not made good by a good one
    beside it, and one that no header of ours can hold is refused as any other."""
    assert sandbox.sandbox is not None
    key = sandbox.sandbox.api_key("alice")
    wrong = base64.b64encode(b"alice:wrong").decode()
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        tries: list[dict[Any, Any]] = [
            {"Authorization": "Bearer verified", "X-Redmine-API-Key": key},
            {"Authorization": f"Basic {wrong}", "X-Redmine-API-Key": key},
            {"Authorization": "Bearer verified"},
            {b"X-Redmine-API-Key": "é".encode("latin-1")},
            {b"Authorization": "Basic é".encode("latin-1")},
            {"X-Redmine-API-Key": ""},
        ]
        for headers in tries:
            assert (await ping(server, headers=headers)).status_code == 401, headers
        assert (await ping(server, headers={"X-Redmine-API-Key": key})).status_code == 200


async def test_passwords_cannot_be_tried_out(sandbox: Target) -> None:
    """Redmine sees one address, ours, and cannot tell a guesser from everybody: so we count."""
    assert sandbox.sandbox is not None
    async with running_server(sandbox, mcp_sign_in=["oauth", "header"]) as server:
        for number in range(40):
            guess = base64.b64encode(f"alice:guess-{number}".encode()).decode()
            await ping(server, headers={"Authorization": f"Basic {guess}"})

    assert sandbox.sandbox.hits("/my/account.json") < 40


# -- The fence ------------------------------------------------------------------------------------

EVERYTHING_BUT_ADMIN = Fence(frozenset({"view_issues", "view_wiki_pages", "edit_wiki_pages"}))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/attachments/../users.json"),
        ("GET", "/attachments/%2e%2e/users.json"),
        ("GET", "/attachments/1/..%2f..%2fusers.json"),
        ("GET", "/issues/.."),
        ("PUT", "/projects/alpha/wiki/..json"),
        ("PUT", "/projects/alpha/wiki/.."),
        ("GET", "//users.json"),
        ("GET", "/issues.csv"),
        ("get", "/users.json"),
        ("HEAD", "/users.json"),
        ("GET", "/issues/1/../../users.json"),
        ("GET", "/USERS.json"),
    ],
)
def test_no_spelling_of_a_path_leads_round_the_fence(method: str, path: str) -> None:
    """What would be another path at Redmine than it is here is refused."""
    with pytest.raises(Forbidden):
        EVERYTHING_BUT_ADMIN.check(method, path)


async def test_a_search_finds_what_may_be_seen_and_no_more(server: Running) -> None:
    """With a key Redmine searches as the user, whatever was allowed to the program."""
    key = Credential.api_key(sandbox_of(server).api_key("alice"))
    searcher = Redmine(server.host.gateway, key, fence=Fence(frozenset({"search_project"})))
    reader = Redmine(
        server.host.gateway, key, fence=Fence(frozenset({"search_project", "view_issues"}))
    )
    found = [await who.get("/search.json", q="login", limit=25) for who in (searcher, reader)]

    assert [item["type"] for item in found[0]["results"] if item["type"] != "project"] == []
    assert {item["type"] for item in found[1]["results"]} >= {"issue"}


WRITE = {"name": "create_issue", "arguments": {"project": "alpha", "subject": "x"}}


async def test_a_read_only_account_writes_by_no_way(server: Running) -> None:
    """Not by a tool, not by the tool that calls another, not in a batch, and not spelt with
    escapes or twice: Redmine gets no request that changes anything."""
    scopes = ("view_issues", "view_project", "add_issues")
    await add(server, read_only=True, scopes=scopes)
    await add(server, name="writer", scopes=scopes)
    accounts = ServiceAccounts(server.host.store)
    reader, _ = await accounts.new_token("nightly", 1000)
    writer, _ = await accounts.new_token("writer", 1000)
    call = '{{"jsonrpc":"2.0","id":1,"method":{},"params":{}}}'
    by_another = {"name": "call_tool", "arguments": WRITE}
    for body in (
        call.format('"tools/call"', _json(WRITE)),
        call.format('"tools/call"', _json(by_another)),
        call.format('"tools\\u002fcall"', _json(WRITE)),
        "[" + call.format('"tools/call"', _json(WRITE)) + "]",
        call.format('"ping","method":"tools/call"', _json(WRITE)),
    ):
        assert (await _post(server, reader, body)).status_code < 500, body
    assert {request.method for request in sandbox_of(server).requests} <= {"GET"}

    await _post(server, writer, call.format('"tools\\u002fcall"', _json(WRITE)))
    assert {request.method for request in sandbox_of(server).requests} == {"GET", "POST"}


async def _post(server: Running, token: str, body: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(
            f"{server.url}/mcp",
            content=body,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "Content-Type": "application/json",
                "MCP-Protocol-Version": "2025-11-25",
            },
        )


def _json(value: dict[str, Any]) -> str:
    return httpx.Request("POST", "http://x", json=value).content.decode()


# -- Several Redmines -----------------------------------------------------------------------------

CROSSED = [
    "/intern/../kunden/mcp",
    "/intern/%2e%2e/kunden/mcp",
    "//intern/mcp",
    "/INTERN/mcp",
    "/intern//mcp",
    "/intern/kunden/mcp",
    "/.well-known/../intern/mcp",
    "/.well-known/mcp/intern",
    "/.well-known/metrics/intern",
    "/.well-known/oauth-protected-resource/intern/../kunden/mcp",
]


async def test_no_spelling_of_a_path_leads_to_another_redmine(both: Both) -> None:
    """The name is what the path begins with, letter by letter; nothing after it leads back."""
    for path in CROSSED:
        reader, writer = await asyncio.open_connection(*urlsplit(both.url).netloc.split(":"))
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        status = (await reader.readline()).split()[1]
        writer.close()
        await writer.wait_closed()

        assert status == b"404", path


# -- What one person does to all ------------------------------------------------------------------


async def test_nobody_uses_up_the_tokens_of_a_client(sandbox: Target) -> None:
    """A client's ID is public, and with a metadata document that of all its users: who sends it
    along with nonsense locks none of them out."""
    async with running_server(sandbox, mcp_limit_tokens=10) as server:
        tokens = await sign_in(server.url)
        nonsense = {"client_id": tokens.client_id, "refresh_token": "x"}
        async with httpx.AsyncClient() as anybody:
            for _ in range(12):
                await anybody.post(
                    f"{server.url}/token", data={"grant_type": "refresh_token", **nonsense}
                )

        assert (await refresh(server.url, tokens)).status_code == 200


@pytest.mark.xfail(strict=True, reason="look-ups of names share the threads of everything else")
async def test_slow_names_hold_nobody_else_up(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client ID is an address that anybody writes. Those whose names take for ever to look up
    leave threads for the look-ups of Redmine and the store."""
    look_up, answered = socket.getaddrinfo, threading.Event()
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith(".slow.example"):
            loop.call_soon_threadsafe(asked.set)
            answered.wait(10)
            raise socket.gaierror("no such name")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    async with httpx.AsyncClient(timeout=30) as http:
        links = [
            http.get(address(server, f"https://n{number}.slow.example/x", pkce()[1]))
            for number in range(40)
        ]
        waiting = asyncio.gather(*links)
        try:
            await asked.wait()
            # Until the rest have come, which the server answers in their order.
            assert (await ping(server, "nobody")).status_code == 401
            async with asyncio.timeout(2):
                await asyncio.to_thread(look_up, "127.0.0.1", 80)
        finally:
            answered.set()
            await waiting


async def test_documents_are_fetched_from_the_usual_port_only(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the server tries out no ports of others."""
    asked: list[str] = []

    def look_up(host: str, *_: Any) -> Any:
        asked.append(host)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for client_id in ("https://client.example:22/x", "https://client.example:8443/x"):
        assert await proxy_of(server).registered_client(client_id) is None
    assert asked == []
    await proxy_of(server).registered_client("https://client.example:443/x")
    assert asked == ["client.example"]


def test_a_choice_of_tools_costs_little() -> None:
    """Patterns of a request are compiled: so there are some of them, none is long, and what is left
    out of them opens nothing."""
    many = Selection.from_headers({"x-mcp-tools": " ".join(f"tool_{n}" for n in range(5000))})
    long = Selection.from_headers({"x-mcp-tools": "*a" * 8000})

    assert len(many.patterns) <= 100
    assert max(map(len, long.patterns)) <= 64
    assert long.patterns


async def test_a_hostile_token_is_refused_quietly(server: Running) -> None:
    """Whatever stands in place of a token: no error of ours, and no look at Redmine."""
    header = base64.urlsafe_b64encode(b'{"a":' + b"[" * 15_000).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    before = len(sandbox_of(server).requests)
    for token in (f"{header}.e30.x", f"{none}.e30.", "a.b.c.d.e", "..", "rmcp_", "key-ticket:e30="):
        assert (await ping(server, token)).status_code == 401, token[:20]

    assert len(sandbox_of(server).requests) == before


@pytest.mark.parametrize("header", ["X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-For"])
async def test_metrics_are_not_shown_through_a_proxy_nobody_named(
    server: Running, header: str
) -> None:
    """Such a proxy on this machine makes everybody look like somebody on this machine."""
    async with httpx.AsyncClient() as http:
        own = await http.get(f"{server.url}/metrics")
        through = await http.get(f"{server.url}/metrics", headers={header: "192.0.2.7"})
        ready = await http.get(f"{server.url}/ready", headers={header: "192.0.2.7"})

    assert (own.status_code, through.status_code) == (200, 403)
    assert set(ready.json()) == {"status"}
