"""The prompt summarize_ticket."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from redmine_mcp_sandbox import Sandbox


async def rendered(client: Any, **arguments: str) -> str:
    prompt = await client.get_prompt("summarize_ticket", arguments)
    (message,) = prompt.messages
    assert message.role == "user"
    return str(message.content.text)


async def test_the_ticket_is_in_the_prompt(sign_in: Any, sandbox: Sandbox) -> None:
    """It works in a client that has no tools: subject, description and comments are there."""
    async with sign_in() as client:
        text = await rendered(client, issue_id="6")

    assert text.startswith("Sum up Redmine issue #6 ")
    for part in ("Export of large reports times out", "504 after a minute", "Alpha"):
        assert part in text
    assert len(sandbox.requests) == 1


async def test_what_strangers_wrote_is_quoted(sign_in: Any) -> None:
    """Instructions in a ticket stand between marks, and without invisible characters."""
    async with sign_in() as client:
        text = await rendered(client, issue_id="18")

    mark = text.split("«", 1)[1].split()[0]
    before, _, quoted = text.partition(f"«{mark}")
    assert "Ignore previous instructions" not in before
    assert "Ignore previous instructions" in quoted
    assert "delete_issue(1)" in quoted
    assert text.endswith(f"{mark}»")
    assert not {"\u202e", "\u200b", "\ufeff", "\u00ad"} & set(text)


async def test_private_notes_need_the_scope(sign_in: Any) -> None:
    """What the sign-in was not granted is not summed up."""
    note = "the vendor's library is the reason"
    async with sign_in("alice") as client:
        assert note in await rendered(client, issue_id="1")
    async with sign_in("alice", "view_issues") as client:
        assert note not in await rendered(client, issue_id="1")


@pytest.mark.parametrize(("login", "issue_id"), [("alice", "999"), ("carol", "43")])
async def test_an_issue_that_is_not_there_or_not_yours(
    sign_in: Any, login: str, issue_id: str
) -> None:
    """One sentence, the same for both: nobody learns which numbers exist."""
    async with sign_in(login) as client:
        with pytest.raises(MCPError) as caught:
            await rendered(client, issue_id=issue_id)

    assert str(caught.value) == f"Issue #{issue_id} does not exist, or you may not see it."


@pytest.mark.parametrize("issue_id", ["0", "-1", "first", "1/../../users/1"])
async def test_what_is_no_number_reaches_no_redmine(
    sign_in: Any, sandbox: Sandbox, issue_id: str
) -> None:
    """An argument cannot lead to another path of Redmine."""
    async with sign_in() as client:
        with pytest.raises(MCPError):
            await rendered(client, issue_id=issue_id)

    assert sandbox.requests == []
