"""The resources besides redmine://users/me."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError


async def read(client: Any, uri: str) -> str:
    (content,) = await client.read_resource(uri)
    return str(content.text)


async def test_active_projects(redmine: Any) -> None:
    """Identifier and name, those of the caller, in one question."""
    async with redmine.client("carol") as client:
        shown = json.loads(await read(client, "redmine://projects/active"))
    assert shown == {"total": 2, "projects": {"alpha": "Alpha", "beta": "Beta"}}
    assert len(redmine.way.seen) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("trackers", {"id": 1, "name": "Bug", "default_status": "New"}),
        ("statuses", {"id": 5, "name": "Closed", "is_closed": True}),
        ("priorities", {"id": 2, "name": "Normal", "is_default": True}),
    ],
)
async def test_reference_data(redmine: Any, name: str, expected: dict[str, Any]) -> None:
    """Id, name, and what is not as usual."""
    async with redmine.client("bob") as client:
        assert expected in json.loads(await read(client, f"redmine://{name}"))


async def test_a_project(redmine: Any) -> None:
    """As the tool tells it; what people wrote stands between marks."""
    async with redmine.client("bob") as client:
        text = await read(client, "redmine://projects/gamma")
    assert text.startswith("«")
    assert "gamma: Gamma (private) · private" in text


async def test_a_hidden_project_cannot_be_read(redmine: Any) -> None:
    """Nor is it told whether there is one."""
    async with redmine.client("carol") as client:
        with pytest.raises(MCPError, match="There is no project “gamma” here"):
            await read(client, "redmine://projects/gamma")


@pytest.mark.parametrize("login", ["alice", "bob", "carol"])
async def test_who_one_is_costs_little(redmine: Any, login: str) -> None:
    """At most 120 bytes."""
    async with redmine.client(login) as client:
        text = await read(client, "redmine://users/me")
    assert json.loads(text)["login"] == login
    assert len(text.encode()) <= 120, f"{len(text.encode())} bytes: {text}"
