"""A client reads, changes and deletes its registration (RFC 7592)."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.registration import manage, registered
from tests.support.servers import Running
from tests.support.sign_in import (
    REDIRECT_URI,
    Tokens,
    ask_to_authorize,
    authorize,
    pkce,
    redeem,
    refresh,
    sign_in,
    tokens_from,
)
from tests.support.signed_in import ping


async def test_a_client_reads_changes_and_deletes_itself(server: Running) -> None:
    """RFC 7592: what a change leaves out is gone, and the same token manages it on."""
    client = await registered(server, client_name="Desk", contacts=["a@client.example"])
    read = await manage(client, "GET")
    uri = "http://127.0.0.1:1/other"
    changed = await manage(client, "PUT", client_id=client["client_id"], redirect_uris=[uri])
    old = await ask_to_authorize(server.url, client["client_id"])
    new = await ask_to_authorize(server.url, client["client_id"], redirect_uri=uri)
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
