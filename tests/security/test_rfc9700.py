"""OAuth 2.0 Security Best Current Practice (RFC 9700): codes, grants, tokens, and who is believed.

Here is what no other test holds already. ``docs/security-model.md`` goes through the RFC point by
point and names the test of each promise.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.security.walk import Walk, token
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import REDIRECT_URI, authorize, pkce, redeem, register, sign_in
from tests.support.signed_in import ping

SPOOFED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1;host=evil.example;proto=https",
    "X-Original-URL": "/metrics",
    "X-Forwarded-User": "alice",
    "X-Redmine-API-Key": "nobody-asked-for-this",
}


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


# -- 4.13 Reverse proxies -------------------------------------------------------------------------


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
