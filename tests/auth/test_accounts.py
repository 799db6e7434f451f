"""Service accounts: programs that call with an API key; what each may do, and what is kept."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from redmine_mcp_core.auth.accounts import ServiceAccount, ServiceAccounts, new_client_id
from redmine_mcp_core.observability.logs import redact
from tests.support.servers import Running, Target, running_server
from tests.support.service_accounts import GRANT, SCOPES, add, ask, who
from tests.support.signed_in import ping


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
