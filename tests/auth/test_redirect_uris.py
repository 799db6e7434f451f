"""Where the authorization endpoint sends people, and where it never does."""

from __future__ import annotations

import httpx
import pytest

from redmine_mcp_core.auth import redirects
from tests.support.forms import Browser
from tests.support.registration import post
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    ask_to_authorize,
    pkce,
    register,
)

ELSEWHERE = "https://evil.example/callback"


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
        answer = await ask_to_authorize(
            server.url, client_id, redirect_uri="https://other.example/callback"
        )

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_narrowing_holds_for_those_who_registered_before(sandbox: Target) -> None:
    """A list that was made narrower is asked again at every sign-in."""
    uri = "https://client.example/callback"
    async with running_server(sandbox) as server:
        client_id = await register(server.url, redirect_uris=[uri])
        server.host.mcp.auth.clients.allowed_redirect_uris = ("http://127.0.0.1:*",)  # type: ignore[union-attr]
        answer = await ask_to_authorize(server.url, client_id, redirect_uri=uri)

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
        answer = await ask_to_authorize(server.url, client_id, redirect_uri=uri)

        assert answer.status_code == 400, uri
        assert "location" not in answer.headers


async def test_a_client_on_this_machine_may_listen_on_any_port(server: Running) -> None:
    """RFC 8252, section 7.3: the port, and nothing else, may differ; on loopback only."""
    uris = [REDIRECT_URI, "https://client.example/callback"]
    client_id = await register(server.url, redirect_uris=uris)
    here = await ask_to_authorize(server.url, client_id, redirect_uri="http://127.0.0.1:1/callback")
    there = await ask_to_authorize(
        server.url, client_id, redirect_uri="https://client.example:444/callback"
    )

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
        answer = await ask_to_authorize(server.url, **{**params, "client_id": client_id})

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
        answer = await ask_to_authorize(server.url, client_id, **params)

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
