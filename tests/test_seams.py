"""Each private name of FastMCP and the SDK that we lean on still has the shape we use."""

from __future__ import annotations

import inspect
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, get_type_hints

import httpcore2
import httpx
import pytest
from fastmcp import Client, FastMCP
from fastmcp.server.auth import OAuthProxy, ssrf
from fastmcp.server.auth.auth import PrivateKeyJWTClientAuthenticator
from fastmcp.server.auth.cimd import CIMDFetcher
from fastmcp.server.auth.jwt_issuer import JWTIssuer
from fastmcp.server.auth.oauth_proxy.models import (
    ClientCode,
    OAuthTransaction,
    UpstreamTokenSet,
)
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier
from fastmcp.server.middleware import Middleware
from fastmcp.server.transforms.search import BM25SearchTransform
from key_value.aio.stores.memory import MemoryStore
from mcp.server.lowlevel import Server
from sse_starlette.sse import AppStatus
from starlette.applications import Starlette

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.seams import (
    CSRF_TOKEN,
    DocumentFetcher,
    OpenOAuthProxy,
    look_names_up_with,
    set_input_schema_lookup,
)
from tests.support.servers import free_port, serving


class Answer(Result):
    value: int

    def text(self) -> str:
        return str(self.value)


def index_of_two_tools() -> ComponentIndex:
    plugin = Plugin()

    @plugin.tool(title="Double", scopes={"view_issues"}, read_only=True)
    async def double(value: int) -> Answer:
        """Double a number."""
        return Answer(value=2 * value)

    @plugin.tool(title="Halve", scopes={"view_issues"}, read_only=True)
    async def halve(value: int) -> Answer:
        """Halve a number."""
        return Answer(value=value // 2)

    return ComponentIndex(plugin)


class Counter(Middleware):
    """Counts the messages that pass through it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_message(self, context: Any, call_next: Any) -> Any:
        self.seen.append(context.method)
        return await call_next(context)


@asynccontextmanager
async def client_over_http(
    counter: Counter, lookup: Callable[[str], dict[str, Any] | None] | None, index: ComponentIndex
) -> AsyncIterator[Client[Any]]:
    mcp: FastMCP[Any] = FastMCP(providers=[index], middleware=[counter])
    if lookup is not None:
        set_input_schema_lookup(mcp, lookup)
    port = free_port()
    app = mcp.http_app(path="/mcp", stateless_http=True)
    async with (
        serving(app, port, lifespan="on"),
        Client(f"http://127.0.0.1:{port}/mcp", mode="auto") as client,
    ):
        yield client


async def test_a_call_of_the_stateless_era_is_one_message() -> None:
    """No hidden ``tools/list`` runs before a ``tools/call``: that would be fifty times the work."""
    counter, index = Counter(), index_of_two_tools()

    async with client_over_http(counter, index.input_schema, index) as client:
        await client.list_tools()  # a client reads the output schemas once, by itself
        counter.seen.clear()
        result = await client.call_tool("double", {"value": 21})

    assert result.structured_content == {"value": 42}
    assert counter.seen == ["tools/call"]


async def test_without_the_seam_there_would_be_a_hidden_listing() -> None:
    """The seam is still needed; once this fails, ``set_input_schema_lookup`` may go."""
    counter, index = Counter(), index_of_two_tools()

    async with client_over_http(counter, None, index) as client:
        await client.list_tools()  # a client reads the output schemas once, by itself
        counter.seen.clear()
        await client.call_tool("double", {"value": 21})

    assert counter.seen == ["tools/list", "tools/call"]


def test_the_lookup_rests_on_the_sdk_server() -> None:
    """``FastMCP._mcp_server`` is the SDK's server, and its ``get_tool_input_schema`` is ours."""
    mcp: FastMCP[Any] = FastMCP()

    set_input_schema_lookup(mcp, index_of_two_tools().input_schema)

    assert isinstance(mcp._mcp_server, Server)
    assert mcp._mcp_server.get_tool_input_schema is not None
    assert mcp._mcp_server.get_tool_input_schema("double") is not None
    assert mcp._mcp_server.get_tool_input_schema("triple") is None


@pytest.fixture
def proxy() -> OpenOAuthProxy:
    """A proxy that has spoken to nobody."""
    return OpenOAuthProxy(
        upstream_authorization_endpoint="https://redmine.example.com/oauth/authorize",
        upstream_token_endpoint="https://redmine.example.com/oauth/token",
        upstream_client_id="client",
        upstream_client_secret="a-secret-of-more-than-16-characters",
        token_verifier=StaticTokenVerifier({}),
        base_url="http://127.0.0.1:8000",
        valid_scopes=["view_issues", "search_project"],
        client_storage=MemoryStore(),
        jwt_signing_key=b"0" * 32,
    )


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


def test_our_endpoints_know_clients_as_the_token_endpoint_does(proxy: OpenOAuthProxy) -> None:
    """Where documents are on, FastMCP authenticates with the same class, given the same."""
    theirs = inspect.getsource(OAuthProxy.get_routes)
    ours = proxy.client_authenticator()

    assert isinstance(ours, PrivateKeyJWTClientAuthenticator)
    for given in ("provider=self", "cimd_manager=self._cimd_manager", "token_endpoint_url="):
        assert given in theirs


async def test_a_transaction_is_found(proxy: OpenOAuthProxy) -> None:
    """``_transaction_store`` keeps a sign-in under way by its id."""
    transaction = OAuthTransaction(
        txn_id="txn",
        client_id="client",
        client_redirect_uri="http://127.0.0.1:1/callback",
        client_state="state",
        code_challenge=None,
        code_challenge_method="S256",
        scopes=["view_issues"],
        created_at=0.0,
    )
    await proxy._transaction_store.put(key="txn", value=transaction)

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


def test_our_fetcher_takes_the_place_of_fastmcps(proxy: OpenOAuthProxy) -> None:
    """``_cimd_manager`` fetches documents with ``_fetcher``, whose ``_parse_cache_policy`` says for
    how long one is kept."""
    fetcher = DocumentFetcher()
    proxy.fetch_documents_with(fetcher)
    policy = fetcher._parse_cache_policy({"cache-control": "max-age=31536000"}, 1000.0)

    assert isinstance(vars(proxy._cimd_manager)["_fetcher"], DocumentFetcher)
    assert policy.expires_at == 1000.0 + fetcher.max_seconds
    assert "self._parse_cache_policy(" in inspect.getsource(CIMDFetcher.fetch)


async def test_names_are_looked_up_by_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """``ssrf.resolve_hostname`` is what every guarded fetch finds its addresses by."""
    asked: list[tuple[str, int]] = []

    async def look_up(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.216.34"]

    monkeypatch.setattr(ssrf, "resolve_hostname", ssrf.resolve_hostname)
    look_names_up_with(look_up)
    validated = await ssrf.validate_url("https://client.example/x")

    assert validated.resolved_ips == ["93.184.216.34"]
    assert asked == [("client.example", 443)]
    assert "await validate_url(" in inspect.getsource(ssrf.ssrf_safe_fetch_response)


def test_a_fetch_says_why_it_failed() -> None:
    """The reason as the cause, or the status first in the text; our fetcher tells them apart."""
    fetch = inspect.getsource(ssrf.ssrf_safe_fetch_response)

    assert 'SSRFFetchError(f"HTTP {response.status_code} fetching' in fetch
    assert fetch.count("from last_error") == 2
    assert "raise CIMDFetchError(str(e)) from e" in inspect.getsource(CIMDFetcher.fetch)


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
    transaction = OAuthTransaction(
        txn_id="txn",
        client_id="client",
        client_redirect_uri="http://127.0.0.1:1/callback",
        client_state="state",
        code_challenge=None,
        code_challenge_method="S256",
        scopes=["view_issues"],
        created_at=0.0,
    )
    await proxy._transaction_store.put(key="txn", value=transaction)
    app = Starlette(routes=proxy.get_routes("/mcp"))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000"
    ) as browser:
        page = await browser.get("/consent", params={"txn_id": "txn"})

    assert page.status_code == 200
    assert CSRF_TOKEN.search(page.text)
    assert page.headers.get_list("set-cookie")


def test_answers_under_way_can_be_left_to_end() -> None:
    """sse-starlette lets us keep it from cutting streams at SIGTERM."""
    assert callable(AppStatus.disable_automatic_graceful_drain)


@pytest.mark.parametrize(
    ("name", "parameters", "is_async"),
    [
        ("_make_search_tool", ["self"], False),
        ("_make_call_tool", ["self"], False),
        ("_get_visible_tools", ["self", "ctx"], True),
        ("_search", ["self", "tools", "query"], True),
    ],
)
def test_the_search_over_tools_is_made_of_these(
    name: str, parameters: list[str], is_async: bool
) -> None:
    """``OpenSearch`` overrides the first two and calls the others."""
    method = getattr(BM25SearchTransform, name)

    assert list(inspect.signature(method).parameters) == parameters
    assert inspect.iscoroutinefunction(method) is is_async
