"""Tokens of service accounts: how long each is good, what ends it, and what it asks of Redmine."""

from __future__ import annotations

import time
from pathlib import Path

from redmine_mcp_core.auth.accounts import ServiceAccounts
from tests.support.servers import Running, Target, free_port, running_server
from tests.support.service_accounts import GRANT, add, ask
from tests.support.signed_in import ping, sandbox_of

ACCOUNT = "/my/account.json"


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
