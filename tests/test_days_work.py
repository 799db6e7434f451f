"""Ten jobs of a working day, as a model does them: without a dead end, and in few bytes.

The calls are those of a model that knows Redmine and has read what the tools say of themselves. It
writes dates in words, names as people say them, and orders as Redmine's API has them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, NamedTuple

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport
from mcp_types import TextContent
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import client_for, text_of

PLUGINS = [entry.load() for entry in entry_points(group="redmine_mcp")]
ALPHA = {"project": "alpha"}


class Job(NamedTuple):
    """What a person asks for."""

    most: int
    """Bytes of arguments and of text, of all calls together. Four make about a token."""
    calls: Sequence[tuple[str, Mapping[str, Any]]]
    """Tools, listed or not, and prompts, which begin with a slash."""


def find(what: str) -> tuple[str, dict[str, Any]]:
    return "find_tools", {"query": what}


JOBS: Mapping[str, Job] = {
    "triage the new bugs of a project": Job(
        2_900,
        [
            (
                "list_issues",
                {**ALPHA, "tracker": "Bug", "status": "New", "sort": "priority:desc"},
            ),
            ("get_issue_details", {"issue_id": "#4"}),
            ("update_issue", {"issue_id": 4, "assignee": "Bob", "priority": "High"}),
            find("change many issues at once"),
            (
                "bulk_update_issues",
                {"issue_ids": [12, 24], "change": {"assignee": "bob"}, "dry_run": False},
            ),
        ],
    ),
    "log two hours on yesterday's review, and see my week": Job(
        2_500,
        [
            ("search_issues", {"query": "login page"}),
            (
                "update_issue",
                {"issue_id": 1, "log_hours": "2h", "activity": "design", "log_date": "yesterday"},
            ),
            find("my time entries this week"),
            ("list_time_entries", {"user": "me", "spent_on": "last 7 days", "group_by": "day"}),
        ],
    ),
    "move an issue to another version, and tell its watchers why": Job(
        300, [("update_issue", {"issue_id": 30, "version": "2.0", "notes": "1.1 is full."})]
    ),
    "find who is overloaded": Job(
        400,
        [
            ("list_issues", {"group_by": "assigned_to"}),
            ("list_issues", {"group_by": "assignee", "due": "Overdue"}),
        ],
    ),
    "close with a note, after it had to be reopened": Job(
        500,
        [
            ("update_issue", {"issue_id": 20, "status": "Feedback", "notes": "Seen again."}),
            ("update_issue", {"issue_id": 20, "status": "Closed", "notes": "Fixed for good."}),
        ],
    ),
    "report on the week": Job(1_800, [("/weekly_report", ALPHA)]),
    "attach a log": Job(
        1_200,
        [
            find("attach a log file to an issue"),
            ("add_attachment", {"issue_id": 4, "filename": "app.log", "text": "ERROR"}),
        ],
    ),
    "copy an issue to another project": Job(
        1_800,
        [
            find("copy an issue to another project"),
            ("copy_issue", {"issue_id": 4, "project": "Beta"}),
        ],
    ),
    "answer a customer in a private note": Job(
        1_000,
        [
            ("search_issues", {"query": "customer quote"}),
            ("get_issue_details", {"issue_id": 18, "focus": "discussion"}),
            ("update_issue", {"issue_id": 18, "notes": "Tomorrow.", "private_notes": True}),
        ],
    ),
    "find the duplicates of a crash": Job(
        1_200,
        [
            ("search_issues", {"query": "app crash start", "any_word": True}),
            ("get_issue_details", {"issue_id": 35}),
            ("update_issue", {"issue_id": 39, "relations": "duplicates #35"}),
        ],
    ),
}


@pytest.fixture
async def client() -> AsyncIterator[Client[FastMCPTransport]]:
    """alice's, of a server with every plugin."""
    sandbox = Sandbox("http://redmine.test")
    scopes = {scope for plugin in PLUGINS for scope in getattr(plugin, "scopes", ())}
    token = sandbox.grant("alice", sorted(scopes)).access_token
    transport = httpx.ASGITransport(sandbox.app)
    async with client_for(*PLUGINS, redmine=transport, token=token) as connected:
        yield connected


async def answer(client: Client[Any], name: str, arguments: dict[str, Any]) -> str:
    """What a model reads. Raises ``AssertionError`` for an error."""
    if name.startswith("/"):
        messages = (await client.get_prompt(name[1:], arguments)).messages
        return "\n".join(
            one.content.text for one in messages if isinstance(one.content, TextContent)
        )
    if name not in {tool.name for tool in await client.list_tools()}:
        name, arguments = "call_tool", {"name": name, "arguments": arguments}
    result = await client.call_tool(name, arguments, raise_on_error=False)
    assert not result.is_error, f"{name}({arguments}): {text_of(result)}"
    return text_of(result)


@pytest.mark.parametrize("name", JOBS)
async def test_a_job_is_done_without_a_dead_end(client: Client[Any], name: str) -> None:
    """Each call is understood, each tool that has to be found is found, and all of it is short."""
    found, size = "", 0
    listed = {tool.name for tool in await client.list_tools()}
    for tool, arguments in JOBS[name].calls:
        assert tool.startswith("/") or tool in listed or f"### {tool}" in found, tool
        text = await answer(client, tool, dict(arguments))
        found += text if tool == "find_tools" else ""
        size += len(json.dumps(arguments)) + len(text.encode())

    print(f"{name}: {len(JOBS[name].calls)} calls, {size} bytes")
    assert size <= JOBS[name].most
