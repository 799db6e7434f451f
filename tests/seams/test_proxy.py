"""Each private name of FastMCP's OAuth proxy that we lean on still has the shape we use."""

from __future__ import annotations

import inspect
import re
import ssl
from contextlib import aclosing
from typing import Any, get_type_hints

import httpcore2
import httpx
import pytest
from fastmcp.server.auth import OAuthProxy
from fastmcp.server.auth.jwt_issuer import JWTIssuer
from fastmcp.server.auth.oauth_proxy.models import ClientCode, OAuthTransaction, UpstreamTokenSet
from starlette.applications import Starlette

from redmine_mcp_core.seams import CSRF_TOKEN, OpenOAuthProxy

METHODS: dict[str, tuple[list[str], bool]] = {
    "_create_upstream_oauth_client": (["self"], False),
    "_try_transparent_refresh": (["self", "upstream_token_set"], True),
    "_extract_upstream_claims": (["self", "idp_tokens"], True),
    "_show_consent_page": (["self", "request"], True),
    "_submit_consent": (["self", "request"], True),
    "_handle_idp_callback": (["self", "request"], True),
    "_validate_client_redirect_uri": (["self", "redirect_uri"], False),
    "get_client": (["self", "client_id"], True),
}
"""The methods of ``OAuthProxy`` that we override or call: their parameters, and if they wait."""

UNDER_WAY = OAuthTransaction(
    txn_id="txn",
    client_id="client",
    client_redirect_uri="http://127.0.0.1:1/callback",
    client_state="state",
    code_challenge=None,
    code_challenge_method="S256",
    scopes=["view_issues"],
    created_at=0.0,
)
"""A sign-in under way."""


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_what_we_give_it(name: str) -> None:
    """FastMCP's method and ours have the same parameters, and both are awaited or neither is."""
    parameters, is_async = METHODS[name]
    theirs = getattr(OAuthProxy, name)

    assert list(inspect.signature(theirs).parameters)[: len(parameters)] == parameters
    assert inspect.iscoroutinefunction(theirs) is is_async
    if name.startswith("_"):
        ours = vars(OpenOAuthProxy)[name]
        assert list(inspect.signature(ours).parameters) == parameters
        assert inspect.iscoroutinefunction(ours) is is_async


@pytest.mark.parametrize("name", [name for name in METHODS if name.startswith("_")])
def test_fastmcp_itself_calls_the_method(name: str) -> None:
    """An override that nobody calls any more would be silent."""
    sources = "".join(
        inspect.getsource(cls) for cls in OAuthProxy.__mro__ if cls.__module__.startswith("fastmcp")
    )

    assert re.search(rf"\bself\.{name}\b", sources)


def test_the_scopes_on_offer(proxy: OpenOAuthProxy) -> None:
    """``_default_scope_str`` holds the valid scopes, parted by blanks."""
    assert proxy.offered_scopes == ["view_issues", "search_project"]


async def test_a_code_is_found_and_forgotten(proxy: OpenOAuthProxy) -> None:
    """``_code_store`` keeps an authorization code, and what it stands for, by the code."""
    code = ClientCode(
        code="code",
        client_id="client",
        redirect_uri="http://127.0.0.1:1/callback",
        code_challenge="challenge",
        code_challenge_method="S256",
        scopes=["view_issues"],
        idp_tokens={"access_token": "token"},
        expires_at=0.0,
        created_at=0.0,
    )
    await proxy._code_store.put(key="code", value=code)

    assert await proxy.issued_code("code") == code
    await proxy.forget_code("code")
    assert await proxy.issued_code("code") is None


async def test_a_transaction_is_found(proxy: OpenOAuthProxy) -> None:
    """``_transaction_store`` keeps a sign-in under way by its id."""
    await proxy._transaction_store.put(key="txn", value=UNDER_WAY)

    found = await proxy.transaction("txn")

    assert found is not None
    assert (found.client_id, found.scopes) == ("client", ["view_issues"])
    assert found.client_redirect_uri == "http://127.0.0.1:1/callback"
    assert await proxy.transaction("other") is None


def test_the_claims_of_our_own_token(proxy: OpenOAuthProxy) -> None:
    """``jwt_issuer`` verifies what it issued, and carries what we put in at sign-in."""
    proxy.set_mcp_path("/mcp")
    assert isinstance(proxy.jwt_issuer, JWTIssuer)
    token = proxy.jwt_issuer.issue_access_token(
        client_id="client",
        scopes=["view_issues"],
        jti="jti",
        expires_in=60,
        upstream_claims={"login": "alice"},
    )

    claims = proxy.claims_of(token)

    assert claims["client_id"] == "client"
    assert claims["upstream_claims"] == {"login": "alice"}
    with pytest.raises(Exception, match=r"."):
        proxy.claims_of(f"{token[:-4]}AAAA")


def test_the_upstream_client_speaks_oauth(proxy: OpenOAuthProxy) -> None:
    """What we wrap can redeem, refresh and be closed, and knows the client's secret."""
    client = proxy.upstream_client()

    assert client.client_secret == "a-secret-of-more-than-16-characters"
    for name in ("fetch_token", "refresh_token", "aclose"):
        assert inspect.iscoroutinefunction(getattr(client, name)), name


async def test_certificates_are_read_once(
    proxy: OpenOAuthProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sign-in or a refresh reads no certificates, which would hold up everybody's requests."""
    read = []
    context = httpcore2.default_ssl_context

    def reading(**how: Any) -> ssl.SSLContext:
        read.append(how)
        return context(**how)

    monkeypatch.setattr(httpcore2, "default_ssl_context", reading)

    async with aclosing(proxy.upstream_client()) as first:
        at_first = len(read)
        async with aclosing(proxy.upstream_client()) as second:
            assert at_first
            assert len(read) == at_first
            assert first is not second


def test_a_token_set_is_what_a_refresh_gives() -> None:
    """``_try_transparent_refresh`` takes a token set and gives one."""
    hints = get_type_hints(OAuthProxy._try_transparent_refresh)

    assert hints["upstream_token_set"] is UpstreamTokenSet
    assert hints["return"] is UpstreamTokenSet


def test_our_issuer_takes_the_place_of_fastmcps(proxy: OpenOAuthProxy) -> None:
    """``set_mcp_path`` makes the issuer, from the URLs and the key that we hand on to ours."""
    made: list[tuple[str, str, bytes]] = []

    class Ours(OpenOAuthProxy):
        def token_issuer(self, issuer: str, audience: str, signing_key: bytes) -> JWTIssuer:
            made.append((issuer, audience, signing_key))
            return super().token_issuer(issuer, audience, signing_key)

    proxy.__class__ = Ours
    proxy.set_mcp_path("/mcp")

    assert made == [("http://127.0.0.1:8000/", "http://127.0.0.1:8000/mcp", b"0" * 32)]
    assert proxy.resource_url == "http://127.0.0.1:8000/mcp"


@pytest.mark.parametrize(
    "name", ["load_access_token", "exchange_refresh_token", "exchange_authorization_code"]
)
def test_tokens_are_issued_and_verified_where_we_wait_before(name: str) -> None:
    """Each of these awaits ``before_tokens`` first; nothing else of the proxy asks the issuer,
    but for the revocation that is switched off and the identity assertions that we do not take."""
    source = inspect.getsource(OAuthProxy)
    users = {
        part.split("(")[0].strip()
        for part in re.split(r"\n    (?:async )?def ", source)[1:]
        if "self.jwt_issuer." in part
    }

    assert name in vars(OpenOAuthProxy)
    assert users <= {
        "load_access_token",
        "exchange_refresh_token",
        "exchange_authorization_code",
        "revoke_token",
        "exchange_identity_assertion",
    }


async def test_the_consent_page_holds_a_csrf_token(proxy: OpenOAuthProxy) -> None:
    """Our page takes it over from FastMCP's, by this pattern."""
    await proxy._transaction_store.put(key="txn", value=UNDER_WAY)
    app = Starlette(routes=proxy.get_routes("/mcp"))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000"
    ) as browser:
        page = await browser.get("/consent", params={"txn_id": "txn"})

    assert page.status_code == 200
    assert CSRF_TOKEN.search(page.text)
    assert page.headers.get_list("set-cookie")
