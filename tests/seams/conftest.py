"""The proxy whose private names are looked at."""

from __future__ import annotations

import pytest
from fastmcp.server.auth.providers.jwt import StaticTokenVerifier
from key_value.aio.stores.memory import MemoryStore

from redmine_mcp_core.seams import OpenOAuthProxy


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
