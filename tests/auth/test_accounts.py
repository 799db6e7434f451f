"""Service accounts: programs that call with an API key, within scopes of ours."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from redmine_mcp_core.auth.accounts import ServiceAccount, ServiceAccounts, new_client_id
from redmine_mcp_core.observability.logs import redact
from tests.support.servers import Running, Target, free_port, running_server
from tests.support.signed_in import ping, sandbox_of

ACCOUNT = "/my/account.json"
GRANT = {"grant_type": "client_credentials"}
SCOPES = ("view_issues", "search_project", "add_issues")


@pytest.fixture
def accounts(server: Running) -> ServiceAccounts:
    return ServiceAccounts(server.host.store)


async def add(
    server: Running, name: str = "nightly", login: str = "alice", **values: Any
) -> ServiceAccount:
    sandbox = sandbox_of(server)
    account = ServiceAccount(
        **{
            "client_id": new_client_id(),
            "name": name,
            "user_id": 5,
            "login": login,
            "api_key": sandbox.api_key(login),
            "scopes": SCOPES,
            "created": int(time.time()),
            **values,
        }
    )
    await ServiceAccounts(server.host.store).add(account)
    return account


@pytest.fixture
async def nightly(server: Running) -> ServiceAccount:
    return await add(server)


async def ask(server: Running, form: dict[str, str], **options: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server.url}/token", data=form, **options)


async def granted(server: Running, account: ServiceAccount, **form: str) -> httpx.Response:
    secret = await ServiceAccounts(server.host.store).new_secret(account.name)
    return await ask(server, {**GRANT, **form}, auth=(account.client_id, secret))


async def who(server: Running, token: str) -> str:
    async with Client(f"{server.url}/mcp", auth=token) as client:
        return str(json.loads((await client.read_resource("redmine://users/me"))[0].text)["login"])


# -- client_credentials ----------------------------------------------------------------------------


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


# -- Long-lived tokens, and what ends them ---------------------------------------------------------


async def test_a_long_lived_token_calls_until_it_is_revoked(
    server: Running, accounts: ServiceAccounts
) -> None:
    """Revocation holds at the next request."""
    await add(server)
    token, listed = await accounts.new_token("nightly", 86_400)
    other, _ = await accounts.new_token("nightly", 86_400)
    assert (await ping(server, token)).status_code == 200
    await accounts.revoke(listed.id)

    assert (await ping(server, token)).status_code == 401
    assert (await ping(server, other)).status_code == 200
    assert [held.id for held in (await accounts.named("nightly")).tokens] != [listed.id]


async def test_revoking_an_account_ends_all_of_it_on_every_replica(
    sandbox: Target, tmp_path: Path
) -> None:
    """Secret, long-lived tokens, and tokens granted: the other replica's next answer is 401."""
    store = f"sqlite:///{tmp_path}/tokens.sqlite3"
    public = f"http://127.0.0.1:{free_port()}"
    async with (
        running_server(sandbox, token_store_url=store, mcp_public_url=public) as one,
        running_server(sandbox, token_store_url=store, mcp_public_url=public) as two,
    ):
        account = await add(one)
        accounts = ServiceAccounts(one.host.store)
        secret = await accounts.new_secret("nightly")
        long, _ = await accounts.new_token("nightly", 86_400)
        auth = (account.client_id, secret)
        short = (await ask(two, GRANT, auth=auth)).json()["access_token"]
        assert {(await ping(two, token)).status_code for token in (long, short)} == {200}
        await accounts.revoke("nightly")

        assert {(await ping(two, token)).status_code for token in (long, short)} == {401}
        assert (await ask(two, GRANT, auth=auth)).status_code == 401
        await add(one)
        assert {(await ping(two, token)).status_code for token in (long, short)} == {401}


async def test_an_account_that_has_expired_opens_nothing(
    server: Running, accounts: ServiceAccounts
) -> None:
    """Neither its tokens nor its secret; and no token outlives its account."""
    soon = int(time.time()) + 100
    account = await add(server, expires=soon)
    _, listed = await accounts.new_token("nightly", 86_400)
    secret = await accounts.new_secret("nightly")
    answer = await ask(server, GRANT, auth=(account.client_id, secret))
    token = answer.json()["access_token"]

    assert listed.expires <= soon
    assert answer.json()["expires_in"] <= 100
    over = (await accounts.named("nightly")).model_copy(update={"expires": 1})
    await accounts._write(over)
    assert (await ping(server, token)).status_code == 401
    assert (await ask(server, GRANT, auth=(account.client_id, secret))).status_code == 401


async def test_a_made_up_token_is_refused_without_asking_redmine(server: Running) -> None:
    """Guessing costs Redmine nothing."""
    for token in ("rmcp_", "rmcp_made-up", f"rmcp_{'A' * 43}", f"rmcp_{'A' * 9000}"):
        assert (await ping(server, token)).status_code == 401
    assert sandbox_of(server).hits(ACCOUNT) == 0


async def test_the_api_key_is_checked_once_in_half_a_minute(
    server: Running, accounts: ServiceAccounts
) -> None:
    """Twenty requests ask Redmine once."""
    await add(server)
    token, _ = await accounts.new_token("nightly", 86_400)
    for _ in range(20):
        assert (await ping(server, token)).status_code == 200

    assert sandbox_of(server).hits(ACCOUNT) == 1


async def test_a_key_that_redmine_refuses_ends_the_calls(
    server: Running, accounts: ServiceAccounts
) -> None:
    """It was reset in Redmine, or never was one."""
    await add(server, api_key="0" * 40)
    token, _ = await accounts.new_token("nightly", 86_400)

    assert (await ping(server, token)).status_code == 401


async def test_an_outage_is_no_refusal(sandbox: Target) -> None:
    """While Redmine cannot be asked the answer is 503 with Retry-After, and then all is well."""
    async with running_server(sandbox, redmine_timeout=0.5) as server:
        await add(server)
        token, _ = await ServiceAccounts(server.host.store).new_token("nightly", 86_400)
        sandbox_of(server).outage = True
        during = await ping(server, token)
        sandbox_of(server).outage = False
        after = await ping(server, token)

    assert (during.status_code, "retry-after" in during.headers) == (503, True)
    assert after.status_code == 200


# -- What an account may do ------------------------------------------------------------------------


async def test_an_account_is_held_to_its_scopes_by_us(
    server: Running, accounts: ServiceAccounts
) -> None:
    """Redmine knows no scopes for API keys: what is beyond is not listed, and refused if called."""
    await add(server, scopes=("view_issues",))
    token, _ = await accounts.new_token("nightly", 86_400)
    async with Client(f"{server.url}/mcp", auth=token) as client:
        listed = {tool.name for tool in await client.list_tools()}
        await client.call_tool("get_issue_details", {"issue_id": 1})
        with pytest.raises(ToolError, match=r"\[missing_scope\]"):
            await client.call_tool("create_issue", {"project": "alpha", "subject": "x"})

    assert "get_issue_details" in listed
    assert "create_issue" not in listed


async def test_a_read_only_account_changes_nothing(
    server: Running, accounts: ServiceAccounts
) -> None:
    """Whatever its scopes are."""
    await add(server, read_only=True)
    token, _ = await accounts.new_token("nightly", 86_400)
    async with Client(f"{server.url}/mcp", auth=token) as client:
        listed = {tool.name for tool in await client.list_tools()}
        with pytest.raises(ToolError, match=r"may only read.*\[read_only\]"):
            await client.call_tool("create_issue", {"project": "alpha", "subject": "x"})

    assert "get_issue_details" in listed
    assert "create_issue" not in listed


async def test_two_accounts_never_meet(server: Running, accounts: ServiceAccounts) -> None:
    """Each token calls with its own key."""
    for login in ("alice", "carol"):
        await add(server, login, login)
    tokens = {login: (await accounts.new_token(login, 3600))[0] for login in ("alice", "carol")}

    for login, token in tokens.items():
        assert await who(server, token) == login


# -- What is kept ----------------------------------------------------------------------------------


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_the_store_holds_no_token_and_no_secret(sandbox: Target, tmp_path: Path) -> None:
    """Tokens and client secrets are kept as hashes, and the API key encrypted."""
    url = f"sqlite:///{tmp_path}/tokens.sqlite3"
    async with running_server(sandbox, token_store_url=url) as server:
        account = await add(server)
        accounts = ServiceAccounts(server.host.store)
        secret = await accounts.new_secret("nightly")
        token, _ = await accounts.new_token("nightly", 86_400)
        opened = (await accounts.named("nightly")).model_dump_json()
        assert (await ping(server, token)).status_code == 200

    written = bytes_in(tmp_path)
    assert secret not in opened
    assert token not in opened
    for value in (secret, token, account.api_key, account.client_id, "nightly"):
        assert value.encode() not in written


async def test_nothing_secret_is_logged(
    server: Running,
    accounts: ServiceAccounts,
    nightly: ServiceAccount,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not at debug level either, nor by an account's repr; and a token would be blanked out."""
    caplog.set_level(logging.DEBUG, logger="redmine_mcp")
    secret = await accounts.new_secret("nightly")
    token, _ = await accounts.new_token("nightly", 86_400)
    await ping(server, token)
    await ask(server, GRANT, auth=(nightly.client_id, secret))
    said = caplog.text + repr(await accounts.named("nightly"))

    for value in (secret, token, nightly.api_key):
        assert value not in said
    assert token not in redact(f"refused {token} at /mcp")


async def test_last_use_is_noted(
    server: Running, accounts: ServiceAccounts, nightly: ServiceAccount
) -> None:
    """For the account and for each of its long-lived tokens."""
    token, listed = await accounts.new_token("nightly", 86_400)
    assert await accounts.last_used(nightly.client_id) is None
    await ping(server, token)

    assert await accounts.last_used(nightly.client_id)
    assert await accounts.last_used(listed.id)


@pytest.fixture
async def real_server(real_redmine: Target) -> AsyncIterator[Running]:
    async with running_server(real_redmine) as running:
        yield running


@pytest.mark.real_redmine
async def test_an_account_calls_a_real_redmine(real_server: Running) -> None:
    """Its API key is what Redmine itself takes, and a wrong one is refused."""
    async with httpx.AsyncClient(auth=("alice", "password1234")) as http:
        user = (await http.get(f"{real_server.target.url}/my/account.json")).json()["user"]
    accounts = ServiceAccounts(real_server.host.store)
    for name, key in (("good", user["api_key"]), ("bad", "0" * 40)):
        await accounts.add(
            ServiceAccount(
                client_id=new_client_id(),
                name=name,
                user_id=user["id"],
                login="alice",
                api_key=key,
                scopes=SCOPES,
                created=0,
            )
        )
    good, _ = await accounts.new_token("good", 3600)
    bad, _ = await accounts.new_token("bad", 3600)

    assert await who(real_server, good) == "alice"
    assert (await ping(real_server, bad)).status_code == 401
