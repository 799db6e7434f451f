"""Service accounts: adding one, asking for a token with its secret, and whom the token calls as."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
from fastmcp import Client

from redmine_mcp_core.auth.accounts import ServiceAccount, ServiceAccounts, new_client_id
from tests.support.servers import Running
from tests.support.signed_in import sandbox_of

GRANT = {"grant_type": "client_credentials"}
SCOPES = ("view_issues", "search_project", "add_issues")


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


async def ask(server: Running, form: dict[str, str], **options: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server.url}/token", data=form, **options)


async def granted(server: Running, account: ServiceAccount, **form: str) -> httpx.Response:
    secret = await ServiceAccounts(server.host.store).new_secret(account.name)
    return await ask(server, {**GRANT, **form}, auth=(account.client_id, secret))


async def who(server: Running, token: str) -> str:
    async with Client(f"{server.url}/mcp", auth=token) as client:
        return str(json.loads((await client.read_resource("redmine://users/me"))[0].text)["login"])
