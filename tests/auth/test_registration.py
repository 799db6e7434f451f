"""Registering a client (RFC 7591): what is kept of it, and for how long."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from redmine_mcp_core.auth import clients, registration
from redmine_mcp_core.auth.client_metadata import Metadata
from redmine_mcp_core.auth.clients import Clients
from redmine_mcp_core.storage.memory import MemoryStore
from tests.support.registration import post, registered
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import (
    REDIRECT_URI,
    ask_to_authorize,
    register,
    sign_in,
)


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


@pytest.mark.parametrize("openness", ["metadata-documents-only", "closed"])
async def test_registration_can_be_closed(sandbox: Target, openness: str) -> None:
    """Then it is not offered either; what is registered already goes on."""
    async with running_server(sandbox, mcp_registration=openness) as server:
        known = server.host.mcp.auth.clients  # type: ignore[union-attr]
        client, _ = await known.register(Metadata(redirect_uris=[REDIRECT_URI]))
        refused = await post(server, {"redirect_uris": [REDIRECT_URI]})
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{server.url}/.well-known/oauth-authorization-server")
        signing_in = await ask_to_authorize(server.url, client.client_id)

    assert refused.status_code == 404
    assert "registration_endpoint" not in answer.json()
    assert bool(answer.json().get("client_id_metadata_document_supported")) == (
        openness != "closed"
    )
    assert "/consent?" in signing_in.headers["location"]
