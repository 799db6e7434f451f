"""list_issues: what Redmine would not filter by is an error, and never another list."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from redmine_mcp_issues import plugin
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import client_for, text_of, unmarked

LIST = "list_issues"


async def refusal(client: Any, **arguments: Any) -> str:
    result = await client.call_tool(LIST, arguments, raise_on_error=False)
    assert result.is_error, text_of(result)
    return unmarked(text_of(result))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"status": "Doing"}, "There is no status “Doing” here. There are: New, In Progress"),
        ({"status": "none"}, "There is no status “none” here."),
        ({"tracker": "Bug, Chore"}, "There is no tracker “Chore” here. There are: Bug, Feature"),
        ({"priority": "P1"}, "There is no priority “P1” here. There are: Low, Normal, High"),
        ({"project": "delta"}, "There is no project “delta” here. There are: Alpha, Beta"),
        (
            {"project": "alpha", "fields": {"Severty": "high"}},
            "There is no custom field “Severty” here. There are: Customer, Severity",
        ),
        ({"fields": {"Category": "UI"}}, "Categories belong to a project: name it."),
        ({"due": "soon"}, "“soon” is no date here. Write it like one of these: 2026-01-31"),
        ({"fields": {"created": "tomorrow"}}, "“tomorrow” is no date here."),
        ({"sort": "votes"}, "Nothing is sorted by “votes”. There are: id, project, tracker"),
        ({"sort": "id,due,start,subject"}, "Redmine sorts by 3 keys at most."),
        ({"group_by": "votes"}, "Issues are not counted by “votes”, but by status, tracker"),
        ({"fields": {"parent": "Login"}}, "parent is an issue's number"),
        ({"fields": {"done_ratio": "half"}}, "done_ratio is a number"),
        ({"fields": {"private": "maybe"}}, "private is one of: yes, no."),
        ({"subject": "a|b"}, "Redmine cannot filter by a value with “|” in it: subject."),
        ({"fields": {"watcher": " "}}, "watcher is empty."),
        ({"status": "open", "fields": {"Status": "New"}}, "status is given twice."),
        ({"query": "Mine", "status": "open"}, "Redmine runs a saved query as it is: leave out"),
    ],
    ids=str,
)
async def test_what_redmine_would_ignore_is_refused(
    sign_in: Any, sandbox: Sandbox, arguments: dict[str, Any], says: str
) -> None:
    """With the valid ones: it would list everything, or nothing, and not say why."""
    async with sign_in() as client:
        answer = await refusal(client, **arguments)

    assert answer.startswith(says)
    assert answer.endswith("[bad_argument]")
    lists = [request for request in sandbox.requests if request.path == "/issues.json"]
    assert lists == []


@pytest.mark.parametrize("login", ["bob", "carol"])
async def test_a_filter_that_redmine_keeps_from_somebody_is_an_error(
    read_as: Any, login: str
) -> None:
    """Only those who may set privacy can ask for it; for others Redmine lists everything."""
    async with read_as(login) as client:
        answer = await refusal(client, fields={"private": "yes"})

    assert answer.startswith("Redmine does not filter by private here, and listed other issues")


@pytest.mark.parametrize(
    "arguments",
    [
        {"tracker": "Bug"},
        {"priority": "High"},
        {"status": "New"},
        {"status": "!Feedback"},
        {"assignee": "5"},
        {"assignee": "none"},
        {"version": "7", "project": ""},
        {"due": "2026-01"},
        {"fields": {"Severity": "high"}},
        {"fields": {"Severity": "none"}},
        {"fields": {"Effort": "any"}},
        {"fields": {"Effort": ">=3"}},
        {"fields": {"estimated_hours": "2..4"}},
    ],
    ids=str,
)
async def test_a_filter_that_was_ignored_is_noticed(
    sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    """A field may be no filter at this Redmine, which then lists issues that do not fit."""
    stranger = {
        "id": 1,
        "subject": "Any",
        "updated_on": "2026-01-01T00:00:00Z",
        "custom_fields": [{"id": 2, "name": "Severity", "value": "low"}],
        **{name: {"id": 4, "name": "X"} for name in ("project", "tracker", "priority", "status")},
        "assigned_to": {"id": 9, "name": "X"},
    }
    app = httpx.ASGITransport(sandbox.app)

    class Careless(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not request.url.path.endswith("/issues.json"):
                return await app.handle_async_request(request)
            return httpx.Response(200, json={"issues": [stranger], "total_count": 1})

    token = sandbox.grant("alice", ("view_issues", "view_project")).access_token
    async with client_for(plugin, redmine=Careless(), token=token) as client:
        answer = await refusal(client, **{"project": "alpha", **arguments})

    assert re.match(r"Redmine does not filter by \w+ here", answer)


@pytest.mark.real_redmine
@pytest.mark.parametrize("project", ["alpha", "nothing"])
async def test_a_saved_query_that_is_not_there(sign_in_to_real: Any, project: str) -> None:
    """With those that there are."""
    async with sign_in_to_real() as client:
        answer = await refusal(client, project=project, query="Mine")

    assert answer.startswith(
        "There is no saved query “Mine” here. There are: Issues assigned to me"
    )
