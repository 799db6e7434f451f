"""A client finds out by itself where to sign in and what to ask for."""

from __future__ import annotations

import re

import httpx

from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from tests.support.servers import Running, Target, running_server

DECLARED = {*discover_plugins(Metrics()).components.scopes} - {"admin"}


async def test_the_401_names_the_scopes_and_where_to_look(server: Running) -> None:
    """A client that was told nothing learns from the challenge what to ask for (RFC 9728, 5.1)."""
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{server.url}/mcp")

    challenge = answer.headers["www-authenticate"]
    assert answer.status_code == 401
    assert set(re.search(r'scope="([^"]+)"', challenge)[1].split()) == DECLARED  # type: ignore[index]
    metadata = f"{server.url}/.well-known/oauth-protected-resource/mcp"
    assert f'resource_metadata="{metadata}"' in challenge


async def test_resource_metadata_leads_to_the_authorization_server(server: Running) -> None:
    """RFC 9728 metadata stands below the resource's path, and at the root for older clients."""
    root = f"{server.url}/.well-known/oauth-protected-resource"
    async with httpx.AsyncClient() as http:
        metadata = (await http.get(f"{root}/mcp")).json()
        at_root = (await http.get(root)).json()

    assert f"{server.url}/mcp" == metadata["resource"]
    assert [f"{server.url}/"] == metadata["authorization_servers"]
    assert set(metadata["scopes_supported"]) == DECLARED
    assert metadata == at_root


async def test_authorization_server_metadata(server: Running) -> None:
    """RFC 8414 metadata offers what a public client with PKCE needs, and nothing that fails."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{server.url}/.well-known/oauth-authorization-server")

    metadata = answer.json()
    assert f"{server.url}/authorize" == metadata["authorization_endpoint"]
    assert f"{server.url}/token" == metadata["token_endpoint"]
    assert f"{server.url}/register" == metadata["registration_endpoint"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["client_id_metadata_document_supported"]
    assert set(metadata["scopes_supported"]) == DECLARED
    assert metadata["revocation_endpoint"] == f"{server.url}/revoke"


async def test_redmine_scopes_narrows_what_is_offered(sandbox: Target) -> None:
    """REDMINE_SCOPES keeps a sign-in within what the administrator ticked in Redmine."""
    ticked = ["import_issues", "view_issues", "search_project"]
    async with running_server(sandbox, redmine_scopes=ticked) as server:
        async with httpx.AsyncClient() as http:
            challenge = (await http.post(f"{server.url}/mcp")).headers["www-authenticate"]

        assert 'scope="search_project view_issues"' in challenge


async def test_a_foreign_host_or_origin_is_turned_away(server: Running) -> None:
    """A page of another site cannot reach the server through a rebound name."""
    async with httpx.AsyncClient() as http:
        rebound = await http.post(f"{server.url}/mcp", headers={"Host": "evil.example"})
        foreign = await http.post(f"{server.url}/mcp", headers={"Origin": "https://evil.example"})

    assert rebound.status_code == 421
    assert foreign.status_code == 403


async def test_unlimited_power_is_never_asked_for_unasked(sandbox: Target) -> None:
    """To Redmine the scope ``admin`` lifts every other limit: only REDMINE_SCOPES can name it."""
    assert "admin" in discover_plugins(Metrics()).components.scopes

    for ticked, offered in (([], False), (["view_issues", "admin"], True)):
        async with (
            running_server(sandbox, redmine_scopes=ticked) as server,
            httpx.AsyncClient() as http,
        ):
            challenge = (await http.post(f"{server.url}/mcp")).headers["www-authenticate"]

        assert ("admin" in challenge) is offered


async def test_a_read_only_server_asks_for_nothing_that_writes(sandbox: Target) -> None:
    """Who may only read is not asked to allow more than that."""
    async with (
        running_server(sandbox, mcp_read_only=True) as server,
        httpx.AsyncClient() as http,
    ):
        challenge = (await http.post(f"{server.url}/mcp")).headers["www-authenticate"]

    scopes = re.search(r'scope="([^"]+)"', challenge)[1].split()  # type: ignore[index]
    assert "view_issues" in scopes
    assert all(scope.startswith(("view_", "search_")) for scope in scopes)
