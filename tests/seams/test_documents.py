"""What we lean on where FastMCP fetches clients' documents, and knows clients, is still so."""

from __future__ import annotations

import inspect

import pytest
from fastmcp.server.auth import OAuthProxy, ssrf
from fastmcp.server.auth.auth import PrivateKeyJWTClientAuthenticator
from fastmcp.server.auth.cimd import CIMDFetcher

from redmine_mcp_core.seams import DocumentFetcher, OpenOAuthProxy, look_names_up_with


def test_our_endpoints_know_clients_as_the_token_endpoint_does(proxy: OpenOAuthProxy) -> None:
    """Where documents are on, FastMCP authenticates with the same class, given the same."""
    theirs = inspect.getsource(OAuthProxy.get_routes)
    ours = proxy.client_authenticator()

    assert isinstance(ours, PrivateKeyJWTClientAuthenticator)
    for given in ("provider=self", "cimd_manager=self._cimd_manager", "token_endpoint_url="):
        assert given in theirs


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
    assert "await validate_url(" in inspect.getsource(ssrf._ssrf_safe_fetch_response)


def test_a_fetch_says_why_it_failed() -> None:
    """The reason as the cause, or the status first in the text; our fetcher tells them apart."""
    fetch = inspect.getsource(ssrf._ssrf_safe_fetch_response)

    assert 'SSRFFetchError(f"HTTP {response.status_code} fetching' in fetch
    assert fetch.count("from last_error") == 2
    assert "raise CIMDFetchError(str(e)) from e" in inspect.getsource(CIMDFetcher.fetch)
