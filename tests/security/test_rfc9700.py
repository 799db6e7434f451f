"""OAuth 2.0 Security Best Current Practice (RFC 9700): what no other test holds already.

``docs/security-model.md`` goes through the RFC point by point and names the test of each promise;
the last tests here see that every name there is that of a test.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.support.forms import Browser
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    authorize,
    log_in_to_redmine,
    pkce,
    redeem,
    register,
    sign_in,
)
from tests.support.signed_in import ping, sandbox_of

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "docs/security-model.md"


@dataclass
class Walk:
    """A whole sign-in, and what our server answered on the way."""

    server: Running
    client_id: str
    answers: list[httpx.Response] = field(default_factory=list)
    arrived: httpx.URL = field(default_factory=httpx.URL)

    @classmethod
    async def to_the_end(cls, server: Running, action: str = "approve") -> Walk:
        walk = cls(server, await register(server.url))
        async with walk.browser() as browser:
            await browser.visit(walk.start())
            await browser.submit(browser.form("csrf_token"), action=action)
            if not browser.arrived:
                await log_in_to_redmine(browser, "alice", "password1234")
            assert browser.arrived
            walk.arrived = browser.arrived
        return walk

    def browser(self, stop: str = REDIRECT_URI) -> Browser:
        browser = Browser(stop)
        browser._http.event_hooks["response"].append(self._note)
        return browser

    def start(self, **params: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": pkce()[1],
            "code_challenge_method": "S256",
            "state": "the-state",
            **params,
        }
        return str(httpx.URL(f"{self.server.url}/authorize", params=query))

    async def _note(self, answer: httpx.Response) -> None:
        if str(answer.url).startswith(self.server.url):
            self.answers.append(answer)


@pytest.fixture
async def walk(server: Running) -> Walk:
    return await Walk.to_the_end(server)


async def token(server: Running, **form: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server.url}/token", data=form)


# -- 2.1 Redirect-based flows ---------------------------------------------------------------------


async def test_a_code_needs_the_verifier_of_its_challenge(server: Running) -> None:
    """2.1.1, 4.5, 4.8: without a verifier, with none of its own, or a plain one, no code is worth
    anything, so one that was caught or injected is worth nothing."""
    client_id = await register(server.url)
    verifier, challenge = pkce()
    for wrong in ("", challenge, pkce()[0], verifier[:-1]):
        arrived = await authorize(
            server.url, client_id, "alice", "password1234", challenge=challenge
        )
        answer = await redeem(server.url, client_id, arrived.params["code"], wrong)

        assert answer.status_code in {400, 401}, wrong
        assert "access_token" not in answer.json()


async def test_a_code_is_bound_to_its_client_and_address(server: Running) -> None:
    """4.4, 4.5: another client, or another redirect URI, gets nothing for it."""
    ours, other = await register(server.url), await register(server.url)
    verifier, challenge = pkce()
    arrived = await authorize(server.url, ours, "alice", "password1234", challenge=challenge)
    form = {
        "grant_type": "authorization_code",
        "client_id": ours,
        "code": arrived.params["code"],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": verifier,
    }
    elsewhere = "http://127.0.0.1:39175/other"
    refused = [
        await token(server, **{**form, "client_id": other}),
        await token(server, **{**form, "redirect_uri": elsewhere}),
    ]
    right = await token(server, **form)

    assert [answer.status_code in {400, 401} for answer in refused] == [True, True]
    assert right.status_code == 200


@pytest.mark.parametrize("action", ["approve", "deny"])
async def test_the_answer_names_its_issuer(server: Running, action: str) -> None:
    """2.1, 4.4.2: ``iss`` (RFC 9207), as the metadata says, so that a client notices a mix-up."""
    walk = await Walk.to_the_end(server, action)
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/.well-known/oauth-authorization-server")

    assert answer.json()["authorization_response_iss_parameter_supported"]
    assert walk.arrived.params.get_list("iss") == [answer.json()["issuer"]]
    assert walk.arrived.params["state"] == "the-state"


async def test_other_grants_do_not_exist(server: Running) -> None:
    """2.1.2, 2.4: a password is nothing that a client gets to see."""
    client_id = await register(server.url)
    known = {"client_id": client_id, "username": "alice", "password": "password1234"}
    for grant in ("password", "implicit", "urn:example:unknown", ""):
        answer = await token(server, grant_type=grant, **known)

        assert answer.status_code == 400, grant
        assert answer.json()["error"] in {"unsupported_grant_type", "invalid_request"}
        assert "access_token" not in answer.json()


async def test_the_metadata_offers_the_code_grant_alone(server: Running) -> None:
    """2.1.2, 2.6: published (RFC 8414), without the implicit and the password grant; and no sender
    constraint is claimed that there is not (2.2.1)."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/.well-known/oauth-authorization-server")
    metadata = answer.json()

    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert not {"implicit", "password"} & set(metadata["grant_types_supported"])
    assert [name for name in metadata if "dpop" in name or "tls_client" in name] == []


# -- 2.2 Replay, 4.9 and 4.10 Stolen tokens -------------------------------------------------------


async def test_a_token_is_good_at_its_own_server_only(sandbox: Target, tmp_path: Path) -> None:
    """2.3, 4.10.2: the audience counts, even where another server has the same key and store."""
    store = f"sqlite:///{tmp_path / 'store'}"
    async with (
        running_server(sandbox, token_store_url=store) as one,
        running_server(sandbox, token_store_url=store) as other,
    ):
        tokens = await sign_in(one.url)

        assert (await ping(one, tokens.access)).status_code == 200
        assert (await ping(other, tokens.access)).status_code == 401


async def test_a_token_in_an_address_is_no_token(server: Running) -> None:
    """4.3.2: addresses stand in histories and logs; only the header counts."""
    tokens = await sign_in(server.url)
    async with httpx.AsyncClient() as http:
        in_query = await http.post(
            f"{server.url}/mcp",
            params={"access_token": tokens.access},
            json={"jsonrpc": "2.0", "id": 1, "method": "ping"},
        )
        in_form = await http.post(f"{server.url}/mcp", data={"access_token": tokens.access})

    assert in_query.status_code == 401
    assert in_form.status_code == 401


# -- 4.2 and 4.3 Leaks through a browser, 4.12 Redirects, 4.16 and 4.17 Pages ---------------------


async def test_nothing_of_a_sign_in_is_kept_or_passed_on(walk: Walk) -> None:
    """4.2.4, 4.3: no page and no redirect with a code, a state or a token rests in a cache, and
    none of our addresses goes to another site as a referrer."""
    answer = await token(walk.server, grant_type="refresh_token", client_id="x", refresh_token="x")

    for seen in (*walk.answers, answer):
        assert "no-store" in seen.headers["cache-control"], seen.url
        assert seen.headers["referrer-policy"] in {"no-referrer", "same-origin"}, seen.url


async def test_no_redirect_repeats_a_form(walk: Walk) -> None:
    """4.12: a 307 would send on what a person filled in; these are 302 or 303."""
    redirects = [answer for answer in walk.answers if answer.is_redirect]

    assert len(redirects) >= 3
    assert {answer.status_code for answer in redirects} <= {302, 303}


async def test_no_page_can_be_framed_or_runs_a_script(server: Running, walk: Walk) -> None:
    """4.16, 4.17: neither ours nor an error's; and no page talks to another window."""
    async with walk.browser() as browser:
        await browser.visit(walk.start(client_id="nobody"))
        await browser.visit(f"{server.url}/consent?txn_id=gone")
        await browser.visit(f"{server.url}/auth/callback?code=1&state=gone")
    pages = [seen for seen in walk.answers if "text/html" in seen.headers.get("content-type", "")]

    assert len(pages) >= 4
    for page in pages:
        assert page.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert re.findall(r'(?:src|href|action)="?https?://', page.text) == []


# -- 4.7 Forged requests --------------------------------------------------------------------------


async def test_consent_cannot_be_forged(walk: Walk) -> None:
    """4.7: it needs the token of this page and the cookie of this browser; nothing else starts the
    way to Redmine."""
    hits = sandbox_of(walk.server).hits("/oauth/authorize")
    async with walk.browser() as person, walk.browser() as attacker:
        await person.visit(walk.start())
        await attacker.visit(walk.start())
        asked, theirs = person.form("csrf_token"), attacker.form("csrf_token")
        for forged in ("", "guessed", theirs.fields["csrf_token"]):
            await person.visit(person.url)
            await person.submit(asked, csrf_token=forged, action="approve")

            assert person.page.status_code in {400, 403}, forged
        async with httpx.AsyncClient() as http:  # the right form, without the cookie
            answer = await http.post(
                f"{walk.server.url}/consent", data={**asked.fields, "action": "approve"}
            )

    assert answer.status_code in {400, 403}
    assert sandbox_of(walk.server).hits("/oauth/authorize") == hits


async def test_a_form_of_another_site_is_turned_away(walk: Walk) -> None:
    """4.7: a browser says whose form it sends."""
    async with walk.browser() as person:
        await person.visit(walk.start())
        form = person.form("csrf_token")
        answer = await person._http.post(
            person.url,
            data={**form.fields, "action": "approve"},
            headers={"Origin": "https://evil.example"},
        )

    assert answer.status_code == 403
    assert "location" not in answer.headers


async def test_a_callback_is_good_once(walk: Walk) -> None:
    """4.5, 4.7: the state of our own request to Redmine is used up by the first answer to it."""
    callback = next(str(seen.url) for seen in walk.answers if seen.url.path == "/auth/callback")
    async with walk.browser() as again:
        await again.visit(callback)

    assert again.arrived is None
    assert again.page.status_code == 400


async def test_the_sign_in_page_answers_no_script_of_another_site(walk: Walk) -> None:
    """2.6: the authorization endpoint and the pages behind it have no CORS."""
    for path in ("/authorize", "/consent", "/auth/callback"):
        async with httpx.AsyncClient(headers={"Origin": "https://evil.example"}) as http:
            answer = await http.get(f"{walk.server.url}{path}")

        assert "access-control-allow-origin" not in answer.headers, path


# -- 4.11 Open redirection ------------------------------------------------------------------------


async def test_nobody_is_passed_on_unasked(walk: Walk) -> None:
    """4.11.2: who was signed in with this client before is asked again, whatever the client says,
    so that no link leads through us to a client's address without a person seeing a page."""
    async with walk.browser() as browser:
        browser._http.headers["Sec-Fetch-Site"] = "none"  # no other site began it
        await browser.visit(walk.start())
        await browser.submit(browser.form("csrf_token"), action="approve")
        await log_in_to_redmine(browser, "alice", "password1234")
        assert browser.arrived
        for prompt in ("none", "login", "consent"):
            browser.arrived = None
            await browser.visit(walk.start(prompt=prompt))

            assert browser.arrived is None, prompt
            assert browser.page.status_code == 200
            assert browser.form("csrf_token")


# -- 4.13 Reverse proxies -------------------------------------------------------------------------


SPOOFED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    "X-Original-URL": "/metrics",
    "X-Forwarded-User": "alice",
    "X-Redmine-API-Key": "nobody-asked-for-this",
}


async def test_what_a_proxy_would_say_is_not_believed(walk: Walk) -> None:
    """4.13: no header of a request changes who we are, where people are sent, or who asks."""
    async with httpx.AsyncClient(headers=SPOOFED) as http:
        metadata = await http.get(f"{walk.server.url}/.well-known/oauth-authorization-server")
        step = await http.get(walk.start())
        call = await http.post(f"{walk.server.url}/mcp")

    assert metadata.json()["issuer"] == f"{walk.server.url}/"
    assert "evil.example" not in metadata.text
    assert step.headers["location"].startswith(f"{walk.server.url}/consent?")
    assert call.status_code == 401
    assert "evil.example" not in call.headers["www-authenticate"]


# -- 4.15 A client that is taken for a person -----------------------------------------------------


async def test_a_client_does_not_choose_its_id(server: Running) -> None:
    """4.15, 2.5: so it cannot be a user's ID, nor that of another client."""
    known = await register(server.url)
    chosen = [await register(server.url, client_id=name) for name in ("5", known)]

    assert not {"5", known} & set(chosen)


# -- The document ---------------------------------------------------------------------------------

SECTIONS = """
2.1 2.1.1 2.1.2 2.2.1 2.2.2 2.3 2.4 2.5 2.6
4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12 4.13 4.14 4.15 4.16 4.17
""".split()


@cache
def names_in(path: Path) -> set[str]:
    """The tests of a file: their names, and ``Class::name`` for those in a class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)} | {
        f"{group.name}::{node.name}"
        for group in tree.body
        if isinstance(group, ast.ClassDef)
        for node in group.body
        if isinstance(node, functions)
    }


def test_every_test_that_the_document_names_exists() -> None:
    """A promise that names a test which was renamed or deleted is held by nothing."""
    named = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", MODEL.read_text(encoding="utf-8"))
    unknown = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists()
        or name not in names_in(ROOT / path)
        or not name.rpartition("::")[2].startswith("test_")
    ]

    assert len(named) > 50
    assert unknown == []


def test_every_section_of_the_rfc_is_answered() -> None:
    """In its own row, with a test or with the reason why there is none."""
    rows = re.findall(r"^\| (\d[\d.]*) \|(.+)\|(.+)\|$", MODEL.read_text(encoding="utf-8"), re.M)

    assert {section for section, _, _ in rows} >= set(SECTIONS)
    assert [section for section, _, held in rows if len(held.strip()) < 5] == []


def test_every_test_here_is_named_in_the_document() -> None:
    """What is worth a test is worth a promise."""
    model = MODEL.read_text(encoding="utf-8")
    here = Path(__file__).relative_to(ROOT)
    ours = {name for name in names_in(Path(__file__)) if name.startswith("test_")}
    own = {name for name in ours if name.startswith("test_every_")}

    assert [name for name in sorted(ours - own) if f"`{here}::{name}`" not in model] == []
