"""redmine://users/me."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from redmine_mcp_sandbox import Sandbox

URI = "redmine://users/me"


async def read(client: Any) -> dict[str, Any]:
    (content,) = await client.read_resource(URI)
    assert content.mime_type == "application/json"
    shown: dict[str, Any] = json.loads(content.text)
    return shown


async def test_you_are_who_you_are(sign_in: Any, sandbox: Sandbox) -> None:
    """Id, login, name and mail, in one question to Redmine."""
    async with sign_in("carol") as client:
        shown = await read(client)

    assert shown == {"id": 7, "login": "carol", "name": "Carol Clark", "mail": "carol@example.net"}
    assert len(sandbox.requests) == 1


async def test_no_scope_is_needed(sign_in: Any) -> None:
    """Who signed in may always know as whom."""
    async with sign_in("bob", "view_project") as client:
        assert (await read(client))["login"] == "bob"


@pytest.mark.parametrize(("scopes", "admin"), [(["admin"], True), (["view_issues"], None)])
async def test_an_administrator_is_one_by_scope(
    sign_in: Any, scopes: list[str], admin: bool | None
) -> None:
    """Without the scope an administrator acts as anybody does, and is shown so."""
    async with sign_in("admin", *scopes) as client:
        assert (await read(client)).get("admin") is admin


async def test_the_resource_is_listed(sign_in: Any) -> None:
    """A client can offer it."""
    async with sign_in() as client:
        assert URI in [str(resource.uri) for resource in await client.list_resources()]


async def test_no_key_and_no_dates(sign_in: Any, sandbox: Sandbox) -> None:
    """Nothing else of the account reaches the model."""
    async with sign_in() as client:
        (content,) = await client.read_resource(URI)

    assert sandbox.api_key("alice") not in content.text
    assert set(json.loads(content.text)) == {"id", "login", "name", "mail"}


async def test_a_locked_account_is_told_in_a_sentence(sign_in: Any, sandbox: Sandbox) -> None:
    """What Redmine answers with 500 is what a person understands."""
    async with sign_in() as client:
        sandbox.lock("alice")
        with pytest.raises(MCPError, match="locked account"):
            await client.read_resource(URI)
