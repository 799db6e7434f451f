"""Registering a client (RFC 7591), managing that (RFC 7592), and where it leads people."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import clients, redirects, registration
from redmine_mcp_core.auth.client_metadata import Metadata
from redmine_mcp_core.auth.clients import Clients
from redmine_mcp_core.storage.memory import MemoryStore
from tests.auth.conftest import ping
from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    Tokens,
    authorize,
    pkce,
    redeem,
    refresh,
    register,
    sign_in,
    tokens_from,
)

ELSEWHERE = "https://evil.example/callback"


async def post(server: Running, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server.url}/register", content=content)


async def registered(server: Running, **members: Any) -> dict[str, Any]:
    answer = await post(server, {"redirect_uris": [REDIRECT_URI], **members})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def manage(client: dict[str, Any], method: str, **members: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {client['registration_access_token']}"}
    async with httpx.AsyncClient(headers=headers) as http:
        return await http.request(method, client["registration_client_uri"], json=members or None)


async def asked(server: Running, client_id: str, **params: str) -> httpx.Response:
    """The answer to an authorization request with these parameters."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": pkce()[1],
        "code_challenge_method": "S256",
        "state": "the-state",
        **params,
    }
    query = {name: value for name, value in query.items() if value}
    async with httpx.AsyncClient() as http:
        return await http.get(f"{server.url}/authorize", params=query)


# -- What is registered ---------------------------------------------------------------------------


async def test_the_answer_says_what_was_registered(server: Running) -> None:
    """RFC 7591, section 3.2.1: all of it, and no secret, since every such client is public."""
    answer = await post(
        server,
        {
            "redirect_uris": [REDIRECT_URI],
            "client_name": "Desk",
            "logo_uri": "https://client.example/logo.png",
            "client_uri": "http://client.example/",
            "policy_uri": "javascript:alert(1)",
            "token_endpoint_auth_method": "client_secret_post",
            "grant_types": ["authorization_code", "implicit", "password", "client_credentials"],
            "scope": "view_issues openid",
            "a_member_nobody_knows": {"deep": [1]},
            "contacts": None,
            "software_id": "",
        },
    )

    client = answer.json()
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert {name: client[name] for name in sorted(client) if "client_id" not in name} == {
        "application_type": "native",
        "client_name": "Desk",
        "grant_types": ["authorization_code"],
        "logo_uri": "https://client.example/logo.png",
        "redirect_uris": [REDIRECT_URI],
        "registration_access_token": client["registration_access_token"],
        "registration_client_uri": f"{server.url}/register/{client['client_id']}",
        "response_types": ["code"],
        "scope": "view_issues",
        "token_endpoint_auth_method": "none",
    }


TOO_MUCH: dict[str, dict[str, Any]] = {
    "redirect_uris": {"redirect_uris": [f"{REDIRECT_URI}/{n}" for n in range(21)]},
    "client_name": {"client_name": "x" * 201},
    "contacts": {"contacts": ["x"] * 21},
    "scope": {"scope": "view_issues " * 400},
    "grant_types": {"grant_types": ["implicit"]},
    "response_types": {"response_types": ["token"]},
    "token_endpoint_auth_method": {"token_endpoint_auth_method": "private_key_jwt"},
    "application_type": {"application_type": "toaster"},
    "software_id": {"software_id": ["not", "a", "text"]},
}


async def test_what_is_too_much_or_wrong_is_refused_by_name(server: Running) -> None:
    """A registration that would not work, or fill the store, is refused with a reason."""
    for member, members in TOO_MUCH.items():
        answer = await post(server, {"redirect_uris": [REDIRECT_URI], **members})

        code = "redirect_uri" if member == "redirect_uris" else "client_metadata"
        assert answer.status_code == 400, member
        assert answer.json()["error"] == f"invalid_{code}"
        assert answer.json()["error_description"].startswith(f"{member}: ")


async def test_a_body_that_is_no_object_is_refused(server: Running) -> None:
    """Whatever is sent, the answer is a 400 that names no line of code."""
    for body in (b"", b"[]", b"{", b'"text"', b"[" * 60_000, b"\xff"):
        answer = await post(server, body)

        assert answer.status_code == 400, body[:10]
        assert answer.json()["error"] in {"invalid_client_metadata", "invalid_request"}
        assert "Traceback" not in answer.text


async def test_a_body_has_a_limit(server: Running) -> None:
    """64 KiB; FastMCP by itself stored twelve megabytes."""
    body = {"redirect_uris": [REDIRECT_URI], "ignored": "x" * registration.MAX_BODY}

    assert (await post(server, body)).status_code == 413


async def test_the_token_that_manages_a_client_is_not_kept(server: Running) -> None:
    """The store has its digest, so who reads the store cannot take a client over."""
    client = await registered(server)
    record = await server.host.store.get(client["client_id"], collection="clients")

    assert record is not None
    assert client["registration_access_token"] not in json.dumps(record)


async def test_a_browser_may_register(server: Running) -> None:
    """The inspector runs in a browser: it asks first (CORS), and may send its token."""
    preflight = {
        "Origin": server.url,
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization",
    }
    client = await registered(server)
    async with httpx.AsyncClient() as http:
        answer = await http.options(client["registration_client_uri"], headers=preflight)

    assert answer.status_code == 200
    assert "DELETE" in answer.headers["access-control-allow-methods"]


# -- Redirect URIs --------------------------------------------------------------------------------

FINE = """
https://client.example https://client.example/callback?tenant=1 http://127.0.0.1:1/cb
http://localhost/cb http://[::1]:4711/ com.example.desk:/callback
cursor://anysphere.cursor-mcp/oauth
""".split()

BAD = {
    "http://client.example/callback": "must begin with https",
    "https://client.example/callback#part": "fragment",
    "https://client.example/#": "fragment",
    "https://alice@client.example/": "user",
    "https://client.example@evil.example/": "user",
    "https://*.example/callback": "wildcard",
    "http://127.0.0.1:*/callback": "is not an absolute URI",
    "https://client.example/a/../b": "goes up",
    "https://client.example/a/%2e%2e/b": "goes up",
    "https://client.example\\@evil.example/": "percent-encoded",
    "https://client.example/\nSet-Cookie: a=b": "percent-encoded",
    "https:///callback": "no host",
    "https://client.example:99999/": "absolute URI",
    "/callback": "absolute URI",
    "//evil.example/callback": "absolute URI",
    "javascript:alert(1)": "runs or reads",
    "JavaScript:alert(1)//.example": "runs or reads",
    "data:text/html,hello": "runs or reads",
    "file:///etc/passwd": "runs or reads",
    "blob:https://client.example/1": "without a dot",
    "desk:/callback": "without a dot",
    "urn:ietf:wg:oauth:2.0:oob": "without a dot",
    "https://client.example/" + "x" * 1000: "longer than",
    "": "percent-encoded",
}


@pytest.mark.parametrize("uri", FINE)
def test_a_redirect_uri_that_leads_to_the_client_is_fine(uri: str) -> None:
    """https, loopback, and an app's own scheme (RFC 8252, section 7)."""
    assert redirects.problem(uri) is None


@pytest.mark.parametrize("uri", BAD)
def test_a_redirect_uri_that_may_lead_elsewhere_is_not(uri: str) -> None:
    """Whatever a browser might read differently from us, or run, is refused with the reason."""
    assert BAD[uri] in (redirects.problem(uri) or "")


async def test_every_redirect_uri_is_checked(server: Running) -> None:
    """One bad address among good ones refuses the registration, and is not repeated."""
    answer = await post(server, {"redirect_uris": [REDIRECT_URI, "http://evil.example/"]})

    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid_redirect_uri",
        "error_description": "Redirect URI 2 must begin with https beyond this machine.",
    }


async def test_a_client_needs_an_address(server: Running) -> None:
    """Without one there is nowhere to send a code to."""
    assert (await post(server, {"client_name": "Desk"})).json()["error"] == "invalid_redirect_uri"


async def test_a_web_application_has_an_address_on_the_web(server: Running) -> None:
    """``application_type`` web: https and another machine (OpenID Connect Registration, 2)."""
    for uri in ("http://127.0.0.1/cb", "https://localhost/cb", "com.desk:/cb"):
        answer = await post(server, {"redirect_uris": [uri], "application_type": "web"})

        assert answer.json()["error"] == "invalid_redirect_uri", uri


async def test_the_operator_may_narrow_and_name_addresses(sandbox: Target) -> None:
    """MCP_ALLOWED_REDIRECT_URIS holds for registrations, and may name an app's own scheme."""
    allowed = ["http://127.0.0.1:*", "https://desk.example/*", "desk://done"]
    verdicts = {
        "http://127.0.0.1:39175/callback": 201,
        "https://desk.example/callback": 201,
        "desk://done": 201,
        "https://other.example/callback": 400,
        "cursor://done": 400,
    }
    async with running_server(sandbox, mcp_allowed_redirect_uris=allowed) as server:
        answers = {uri: await post(server, {"redirect_uris": [uri]}) for uri in verdicts}

    assert {uri: answer.status_code for uri, answer in answers.items()} == verdicts


async def test_an_allowed_address_of_somebody_else_is_not_ones_own(sandbox: Target) -> None:
    """What the operator allows to all is no redirect URI of a client that did not register it."""
    allowed = ["https://*.example/*", "http://127.0.0.1:*"]
    async with running_server(sandbox, mcp_allowed_redirect_uris=allowed) as server:
        client_id = await register(server.url)
        answer = await asked(server, client_id, redirect_uri="https://other.example/callback")

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_narrowing_holds_for_those_who_registered_before(sandbox: Target) -> None:
    """A list that was made narrower is asked again at every sign-in."""
    uri = "https://client.example/callback"
    async with running_server(sandbox) as server:
        client_id = await register(server.url, redirect_uris=[uri])
        server.host.mcp.auth.clients.allowed_redirect_uris = ("http://127.0.0.1:*",)  # type: ignore[union-attr]
        answer = await asked(server, client_id, redirect_uri=uri)

    assert answer.status_code == 400


NEARLY = [
    "http://127.0.0.1:39175/callback/",
    "http://127.0.0.1:39175/Callback",
    "http://127.0.0.1:39175/callback?more=1",
    "http://127.0.0.1:39175/callback/../other",
    "http://localhost:39175/callback",
    "https://127.0.0.1:39175/callback",
    "http://127.0.0.1.evil.example:39175/callback",
    "http://127.0.0.1:39175@evil.example/callback",
    "http://127.0.0.1:39175\\@evil.example/callback",
]


async def test_a_redirect_uri_is_matched_exactly(server: Running) -> None:
    """RFC 9700, section 2.1: nearly the registered one is another one."""
    client_id = await register(server.url)
    for uri in NEARLY:
        answer = await asked(server, client_id, redirect_uri=uri)

        assert answer.status_code == 400, uri
        assert "location" not in answer.headers


async def test_a_client_on_this_machine_may_listen_on_any_port(server: Running) -> None:
    """RFC 8252, section 7.3: the port, and nothing else, may differ; on loopback only."""
    uris = [REDIRECT_URI, "https://client.example/callback"]
    client_id = await register(server.url, redirect_uris=uris)
    here = await asked(server, client_id, redirect_uri="http://127.0.0.1:1/callback")
    there = await asked(server, client_id, redirect_uri="https://client.example:444/callback")

    assert here.headers["location"].startswith(f"{server.url}/consent?")
    assert there.status_code == 400


ASTRAY: dict[str, dict[str, str]] = {
    "an unknown client": {"client_id": "nobody", "redirect_uri": ELSEWHERE},
    "no client": {"client_id": "", "redirect_uri": ELSEWHERE},
    "our own client ID": {"client_id": "OWN", "redirect_uri": ELSEWHERE},
    "another address": {"redirect_uri": ELSEWHERE},
    "another address and no PKCE": {"redirect_uri": ELSEWHERE, "code_challenge": ""},
    "another address and another grant": {"redirect_uri": ELSEWHERE, "response_type": "token"},
    "another address and a bad scope": {"redirect_uri": ELSEWHERE, "scope": "fly"},
    "another address and another server": {"redirect_uri": ELSEWHERE, "resource": ELSEWHERE},
    "an address that is none": {"redirect_uri": "//evil.example"},
    "a script": {"redirect_uri": "javascript:alert(1)"},
    "two addresses": {"redirect_uri": f"{REDIRECT_URI} {ELSEWHERE}"},
    "an address in the state": {"redirect_uri": ELSEWHERE, "state": ELSEWHERE},
}


async def test_nobody_is_sent_elsewhere(server: Running) -> None:
    """No error of the authorization endpoint redirects to an address that is not registered."""
    known = await register(server.url)
    for case, params in ASTRAY.items():
        client_id = params.get("client_id", known).replace("OWN", server.target.client_id)
        answer = await asked(server, **{**params, "client_id": client_id})

        assert answer.status_code == 400, case
        assert "location" not in answer.headers


RETURNED: dict[str, tuple[dict[str, str], str]] = {
    "no PKCE": ({"code_challenge": ""}, "invalid_request"),
    "plain PKCE": ({"code_challenge_method": "plain"}, "invalid_request"),
    "the implicit grant": ({"response_type": "token"}, "unsupported_response_type"),
    "an unknown scope": ({"scope": "fly"}, "invalid_scope"),
    "another resource": ({"resource": ELSEWHERE}, "invalid_target"),
}


async def test_an_error_goes_to_the_registered_address(server: Running) -> None:
    """With the error, the client's state and our issuer (RFC 9207), by a 302 that drops a POST."""
    client_id = await register(server.url)
    for case, (params, error) in RETURNED.items():
        answer = await asked(server, client_id, **params)

        location = httpx.URL(answer.headers["location"])
        assert answer.status_code == 302, case
        assert str(location).startswith(f"{REDIRECT_URI}?")
        assert location.params["error"] == error
        assert location.params["state"] == "the-state"
        assert location.params["iss"] == f"{server.url}/"


LATER_STEPS = [
    "/consent?txn_id=nobody&redirect_uri=https://evil.example",
    "/auth/callback?code=1&state=https://evil.example",
    "/auth/callback?error=access_denied&state=nobody",
    "/auth/callback?error=access_denied&error_uri=https://evil.example",
]


async def test_a_stranger_to_the_later_steps_is_sent_nowhere(server: Running) -> None:
    """The steps after the first know the address from the store alone."""
    for path in LATER_STEPS:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{server.url}{path}")

        assert answer.status_code == 400, path
        assert "location" not in answer.headers


async def test_a_person_with_an_unknown_client_gets_a_page(server: Running) -> None:
    """It says what to do, loads nothing from elsewhere, and repeats nothing of the request."""
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(
            f"{server.url}/authorize?response_type=code&client_id=<i>nobody</i>"
            f"&redirect_uri={ELSEWHERE}&code_challenge={pkce()[1]}"
        )

    assert browser.page.status_code == 400
    assert "not known here" in browser.page.text
    assert "nobody" not in browser.page.text
    assert "FastMCP" not in browser.page.text
    assert "default-src 'none'" in browser.page.headers["content-security-policy"]


# -- How long it stays ----------------------------------------------------------------------------


async def seconds_left(server: Running, client_id: str) -> float:
    record, left = await server.host.store.ttl(client_id, collection="clients")
    assert record is not None
    assert left is not None
    return left


async def test_a_registration_runs_out(server: Running) -> None:
    """A day where nobody signs in with it, 90 days from when somebody did."""
    unused = await register(server.url)
    used = await sign_in(server.url)

    assert await seconds_left(server, unused) == pytest.approx(clients.DAY, abs=60)
    assert await seconds_left(server, used.client_id) == pytest.approx(90 * clients.DAY, abs=60)


async def test_use_is_noted_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh prolongs a registration, and costs a write a day at most."""
    now = [1_700_000_000.0]
    monkeypatch.setattr("redmine_mcp_core.auth.clients.time.time", lambda: now[0])
    store = MemoryStore(clock=lambda: now[0])
    known = Clients(store)
    client, _ = await known.register(Metadata(redirect_uris=[REDIRECT_URI]))
    left = []
    for hours in (1, 2, 26):
        now[0] = 1_700_000_000 + hours * 3600
        found = await known.get(client.client_id)
        assert found is not None
        await known.note_use(found)
        left.append((await store.ttl(client.client_id, collection="clients"))[1])
    now[0] += 90 * clients.DAY

    assert left == [90 * clients.DAY, 90 * clients.DAY - 3600, 90 * clients.DAY]
    assert await known.get(client.client_id) is None


async def test_changing_an_unused_registration_does_not_prolong_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who fills the store with clients cannot keep them there."""
    now = [1_700_000_000.0]
    monkeypatch.setattr("redmine_mcp_core.auth.clients.time.time", lambda: now[0])
    known = Clients(MemoryStore(clock=lambda: now[0]))
    metadata = Metadata(redirect_uris=[REDIRECT_URI])
    client, _ = await known.register(metadata)
    now[0] += clients.DAY - 10
    assert await known.change(client.client_id, metadata)
    now[0] += 11

    assert await known.get(client.client_id) is None


async def test_a_store_cannot_be_filled_with_clients(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond so many an hour, over all replicas and addresses, clients are asked to wait."""
    monkeypatch.setattr(registration, "PER_HOUR", 2)
    answers = [await post(server, {"redirect_uris": [REDIRECT_URI]}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[2].headers["retry-after"]) > 0


# -- Who may become a client ----------------------------------------------------------------------


@pytest.mark.parametrize("openness", ["metadata-documents-only", "closed"])
async def test_registration_can_be_closed(sandbox: Target, openness: str) -> None:
    """Then it is not offered either; what is registered already goes on."""
    async with running_server(sandbox, mcp_registration=openness) as server:
        known = server.host.mcp.auth.clients  # type: ignore[union-attr]
        client, _ = await known.register(Metadata(redirect_uris=[REDIRECT_URI]))
        refused = await post(server, {"redirect_uris": [REDIRECT_URI]})
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{server.url}/.well-known/oauth-authorization-server")
        signing_in = await asked(server, client.client_id)

    assert refused.status_code == 404
    assert "registration_endpoint" not in answer.json()
    assert bool(answer.json().get("client_id_metadata_document_supported")) == (
        openness != "closed"
    )
    assert "/consent?" in signing_in.headers["location"]


# -- Managing a registration ----------------------------------------------------------------------


async def test_a_client_reads_changes_and_deletes_itself(server: Running) -> None:
    """RFC 7592: what a change leaves out is gone, and the same token manages it on."""
    client = await registered(server, client_name="Desk", contacts=["a@client.example"])
    read = await manage(client, "GET")
    uri = "http://127.0.0.1:1/other"
    changed = await manage(client, "PUT", client_id=client["client_id"], redirect_uris=[uri])
    old = await asked(server, client["client_id"])
    new = await asked(server, client["client_id"], redirect_uri=uri)
    deleted = await manage(client, "DELETE")
    gone = await manage(client, "GET")

    assert read.json() == client
    assert read.headers["cache-control"] == "no-store"
    assert changed.status_code == 200
    assert changed.json()["redirect_uris"] == [uri]
    assert "contacts" not in changed.json()
    assert changed.json()["registration_access_token"] == client["registration_access_token"]
    assert old.status_code == 400
    assert new.status_code == 302
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert gone.status_code == 401


NO_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"redirect_uris": ["http://evil.example/"]}, "invalid_redirect_uri"),
    ({"client_name": "x" * 201}, "invalid_client_metadata"),
    ({"client_id": "another"}, "invalid_client_metadata"),
]


async def test_a_change_is_checked_like_a_registration(server: Running) -> None:
    """It must not be the way round the rules; what was registered stays."""
    client = await registered(server)
    whole = {"client_id": client["client_id"], "redirect_uris": [REDIRECT_URI]}
    for members, error in NO_CHANGES:
        answer = await manage(client, "PUT", **{**whole, **members})

        assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert (await manage(client, "GET")).json() == client


async def test_only_its_own_token_manages_a_client(server: Running) -> None:
    """A wrong token, none, that of another client and an unknown client are answered alike."""
    client, other = await registered(server), await registered(server)
    url = client["registration_client_uri"]
    strangers = [
        {**client, "registration_access_token": other["registration_access_token"]},
        {**client, "registration_access_token": "wrong"},
        {**client, "registration_client_uri": f"{server.url}/register/nobody"},
        {**client, "registration_client_uri": f"{server.url}/register/{'x' * 4000}"},
    ]
    members = {"client_id": client["client_id"], "redirect_uris": [REDIRECT_URI]}
    methods = ("GET", "PUT", "DELETE")
    answers = [
        await manage(stranger, method, **members) for stranger in strangers for method in methods
    ]
    async with httpx.AsyncClient() as http:
        answers += [await http.request(method, url) for method in methods]

    assert {(answer.status_code, answer.text) for answer in answers} == {
        (401, '{"error":"invalid_token"}')
    }
    assert (await manage(client, "GET")).json() == client


async def signed_in_with(server: Running, client_id: str) -> Tokens:
    verifier, challenge = pkce()
    arrived = await authorize(server.url, client_id, "alice", "password1234", challenge=challenge)
    return tokens_from(
        await redeem(server.url, client_id, arrived.params["code"], verifier), client_id
    )


async def test_deleting_a_client_ends_what_was_signed_in_with_it(server: Running) -> None:
    """At the next request, for access and refresh tokens; other clients' sign-ins go on."""
    client = await registered(server)
    tokens = await signed_in_with(server, client["client_id"])
    others = await sign_in(server.url)
    before = await ping(server, tokens.access)
    deleted = await manage(client, "DELETE")

    assert before.status_code == 200
    assert deleted.status_code == 204
    assert (await ping(server, tokens.access)).status_code == 401
    assert (await refresh(server.url, tokens)).status_code == 401
    assert (await ping(server, others.access)).status_code == 200


async def test_a_code_of_a_deleted_client_is_worth_nothing(server: Running) -> None:
    """Between the sign-in and the redemption the client may go."""
    client = await registered(server)
    verifier, challenge = pkce()
    arrived = await authorize(
        server.url, client["client_id"], "alice", "password1234", challenge=challenge
    )
    await manage(client, "DELETE")
    answer = await redeem(server.url, client["client_id"], arrived.params["code"], verifier)

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
