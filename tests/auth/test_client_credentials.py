"""The grant of service accounts (RFC 6749, section 4.4): a token for a client ID and a secret."""

from __future__ import annotations

import base64
import re

import httpx
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from redmine_mcp_core.auth.accounts import ServiceAccount, ServiceAccounts
from tests.support.servers import Running
from tests.support.service_accounts import GRANT, SCOPES, ask, granted, who


async def test_client_credentials_give_an_opaque_token_for_an_hour(
    server: Running, nightly: ServiceAccount
) -> None:
    """RFC 6749, section 4.4: no refresh token, nothing cached, and the token calls as the user."""
    answer = await granted(server, nightly)
    body = answer.json()

    assert answer.status_code == 200
    assert re.fullmatch(r"rmcp_[\w-]{43}", body.pop("access_token"))
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": " ".join(SCOPES)}
    assert answer.headers["cache-control"] == "no-store"
    token = (await granted(server, nightly)).json()["access_token"]
    assert await who(server, token) == "alice"


async def test_the_secret_may_stand_in_the_form(
    server: Running, accounts: ServiceAccounts, nightly: ServiceAccount
) -> None:
    """``client_secret_post`` beside ``client_secret_basic``."""
    secret = await accounts.new_secret("nightly")
    answer = await ask(server, {**GRANT, "client_id": nightly.client_id, "client_secret": secret})

    assert answer.status_code == 200


async def test_basic_parts_are_form_encoded(
    server: Running, accounts: ServiceAccounts, nightly: ServiceAccount
) -> None:
    """RFC 6749, section 2.3.1: a careful client percent-encodes what it need not."""
    secret = await accounts.new_secret("nightly")
    encoded = "".join(f"%{byte:02X}" for byte in secret.encode())
    basic = base64.b64encode(f"{nightly.client_id}:{encoded}".encode()).decode()
    answer = await ask(server, GRANT, headers={"Authorization": f"Basic {basic}"})

    assert answer.status_code == 200


async def test_a_wrong_secret_and_an_unknown_client_sound_the_same(
    server: Running, accounts: ServiceAccounts, nightly: ServiceAccount
) -> None:
    """401 ``invalid_client``, with a challenge for who came with Basic; nobody learns which."""
    good = await accounts.new_secret("nightly")
    attempts = [
        (nightly.client_id, "wrong"),
        (nightly.client_id, ""),
        (nightly.client_id, f"{good}x"),
        ("account-0000000000000000", good),
        ("", ""),
    ]
    answers = [await ask(server, GRANT, auth=attempt) for attempt in attempts]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["error"] == "invalid_client"
    assert all(answer.headers["www-authenticate"].startswith("Basic") for answer in answers)


async def test_other_ways_to_show_a_secret_are_refused(
    server: Running, accounts: ServiceAccounts, nightly: ServiceAccount
) -> None:
    """None, one in each place, one that contradicts the form, and what is no Basic at all."""
    secret = await accounts.new_secret("nightly")
    auth = (nightly.client_id, secret)
    twice = {"client_id": nightly.client_id, "client_secret": secret}
    answers = [
        await ask(server, GRANT),
        await ask(server, {**GRANT, "client_id": nightly.client_id}),
        await ask(server, {**GRANT, **twice}, auth=auth),
        await ask(server, {**GRANT, "client_id": "another"}, auth=auth),
        await ask(server, GRANT, headers={"Authorization": "Basic !!"}),
        await ask(server, GRANT, headers={"Authorization": f"Bearer {secret}"}),
    ]

    assert [answer.status_code for answer in answers] == [401] * 6


async def test_an_account_without_a_secret_gets_nothing(
    server: Running, nightly: ServiceAccount
) -> None:
    """No secret was made: an empty one is not it."""
    for secret in ("", "x"):
        answer = await ask(server, GRANT, auth=(nightly.client_id, secret))
        assert answer.status_code == 401


async def test_a_new_secret_ends_the_old_one(
    server: Running, accounts: ServiceAccounts, nightly: ServiceAccount
) -> None:
    """There is one at a time."""
    old, new = await accounts.new_secret("nightly"), await accounts.new_secret("nightly")

    assert (await ask(server, GRANT, auth=(nightly.client_id, old))).status_code == 401
    assert (await ask(server, GRANT, auth=(nightly.client_id, new))).status_code == 200


async def test_scopes_can_be_narrowed_and_not_widened(
    server: Running, nightly: ServiceAccount
) -> None:
    """``invalid_scope`` for one that the account lacks."""
    wide = await granted(server, nightly, scope="view_issues edit_issues")
    narrow = await granted(server, nightly, scope="view_issues")

    assert narrow.json()["scope"] == "view_issues"
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")
    async with Client(f"{server.url}/mcp", auth=narrow.json()["access_token"]) as client:
        with pytest.raises(ToolError, match=r"add_issues.*\[missing_scope\]"):
            await client.call_tool("create_issue", {"project": "alpha", "subject": "x"})


async def test_a_token_is_for_this_server_only(server: Running, nightly: ServiceAccount) -> None:
    """RFC 8707: ``invalid_target`` for another resource."""
    here = await granted(server, nightly, resource=f"{server.url}/mcp")
    elsewhere = await granted(server, nightly, resource="https://other.example.com/mcp")

    assert here.status_code == 200
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (400, "invalid_target")


async def test_other_grants_go_to_fastmcp(server: Running) -> None:
    """They are answered as before, and what nobody knows is refused."""
    for grant in ("authorization_code", "refresh_token", "password", ""):
        answer = await ask(server, {"grant_type": grant, "client_id": "nobody"})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_the_metadata_names_the_grant_and_how_to_authenticate(server: Running) -> None:
    """RFC 8414, beside what public clients need."""
    async with httpx.AsyncClient() as http:
        metadata = (await http.get(f"{server.url}/.well-known/oauth-authorization-server")).json()

    assert {"authorization_code", "refresh_token", "client_credentials"} <= set(
        metadata["grant_types_supported"]
    )
    assert {"none", "client_secret_basic", "client_secret_post"} <= set(
        metadata["token_endpoint_auth_methods_supported"]
    )
