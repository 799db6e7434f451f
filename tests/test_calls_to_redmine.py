"""How often Redmine is asked for one call of a tool: the table in docs/calls.md, held to the code.

Each tool is called twice on a server of its own, so that reference data (names, projects, roles) is
known the second time, and the second call is counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from redmine_mcp_issues import plugin as issues
from redmine_mcp_projects import plugin as projects
from redmine_mcp_sandbox import Sandbox
from redmine_mcp_time import plugin as time
from redmine_mcp_wiki import plugin as wiki

from redmine_mcp_core import LocalFiles
from redmine_mcp_core.testing import client_for, text_of

TABLE = Path(__file__).parents[1] / "docs/calls.md"
ROW = re.compile(r"^\| `(\w+)`(?:, ([^|]+?))? \| (\d+) \| (.*?) ?\|$", re.MULTILINE)

PLUGINS = (issues, projects, time, wiki)

Arguments = Mapping[str, Any]


class Example(NamedTuple):
    """A call to count, and another one before it from which reference data is known."""

    counted: Arguments
    before: Arguments | tuple[str, Arguments] | None = None
    """The same one, unless it can be made only once; or one of another tool."""
    login: str = "alice"


ISSUE = {"issue_id": 1}
ALPHA = {"project": "alpha"}
YES = {"confirm": True}
WORK = {"hours": 1, "activity": "Design"}
ON_ISSUE = {"issue": 12}
PAGE = {**ALPHA, "title": "Handbook"}
WRITTEN = ("save_wiki_page", {**PAGE, "text": "hello"})


def admin(counted: Arguments, before: Arguments | None = None) -> Example:
    return Example(counted, before, "admin")


EXAMPLES: Mapping[tuple[str, str], Example] = {
    ("search_issues", ""): Example({"query": "login", **ALPHA}),
    ("list_issues", ""): Example(
        {**ALPHA, "status": "New", "version": "1.1", "assignee": "Bob Builder"}
    ),
    ("list_issues", "with `group_by`"): Example({**ALPHA, "group_by": "version"}),
    ("get_issue_details", ""): Example(ISSUE),
    ("get_issue_details", "`discussion` or `history`"): Example({**ISSUE, "focus": "history"}),
    ("get_issue_details", "`relations` or `everything`"): Example({**ISSUE, "focus": "everything"}),
    ("create_issue", ""): Example(
        {**ALPHA, "subject": "x", "tracker": "Bug", "version": "1.1", "assignee": "Bob Builder"}
    ),
    ("create_issue", "dry run"): Example(
        {**ALPHA, "subject": "x", "priority": "High", "dry_run": True}
    ),
    ("create_issue", "with watchers"): Example(
        {**ALPHA, "subject": "x", "watchers": ["Bob Builder"]}
    ),
    ("update_issue", "only a comment"): Example({**ISSUE, "notes": "x"}),
    ("update_issue", ""): Example({**ISSUE, "status": "Resolved", "version": "2.0"}),
    ("update_issue", "with `replace` or `expected_updated_on`"): Example(
        {"issue_id": 2, "replace": [{"find": "own tools", "with": "tools"}]},
        {"issue_id": 2, "notes": "x", "dry_run": True},
    ),
    ("update_issue", "dry run"): Example({"issue_id": 2, "done_ratio": 50, "dry_run": True}),
    ("bulk_update_issues", "for each issue"): Example(
        {"issue_ids": [2], "change": {"done_ratio": 60}, "dry_run": False}
    ),
    ("copy_issue", ""): Example({"issue_id": 11, "project": "beta", "tracker": "Bug"}),
    ("delete_issue", ""): Example({"issue_id": 14, **YES}, {"issue_id": 13, **YES}),
    ("edit_comment", ""): Example({**ISSUE, "comment_id": 32, "text": "x"}),
    ("delete_comment", ""): Example(
        {**ISSUE, "comment_id": 31, **YES}, {**ISSUE, "comment_id": 32, **YES}
    ),
    ("get_attachment", ""): Example({**ISSUE, "attachment_id": 1}),
    ("add_attachment", ""): Example({**ISSUE, "filename": "a.txt", "text": "a"}),
    ("attach_local_file", ""): Example({**ISSUE, "path": "a.txt"}),
    ("save_attachment", ""): Example(
        {**ISSUE, "attachment_id": 1, "path": "c.txt"},
        {**ISSUE, "attachment_id": 1, "path": "b.txt"},
    ),
    ("delete_attachment", ""): Example(
        {**ISSUE, "attachment_id": 1, **YES}, {**ISSUE, "attachment_id": 2, **YES}
    ),
    ("list_time_entries", ""): Example({**ALPHA, "user": "Bob Builder", "version": "1.1"}),
    ("list_time_entries", "with `group_by`"): Example({**ALPHA, "group_by": "user, week"}),
    ("list_time_entries", "with `group_by` of issues or what they have"): Example(
        {**ALPHA, "group_by": "version"}
    ),
    ("log_time", ""): Example({**WORK, **ON_ISSUE}),
    ("log_time", "for somebody else on an issue"): Example(
        {**WORK, **ON_ISSUE, "user": "Bob Builder"}
    ),
    ("log_time", "dry run"): Example({**WORK, **ALPHA, "dry_run": True}),
    ("update_time_entry", ""): Example({"entry_id": 1, "hours": 2, "activity": "Design"}),
    ("delete_time_entry", ""): Example({"entry_id": 1, **YES}, {"entry_id": 2, **YES}),
    ("list_wiki_pages", ""): Example(ALPHA, WRITTEN),
    ("search_wiki", ""): Example({**ALPHA, "query": "hello"}, WRITTEN),
    ("search_wiki", "nothing found"): Example({**ALPHA, "query": "zebra"}, WRITTEN),
    ("get_wiki_page", ""): Example(PAGE, WRITTEN),
    ("get_wiki_page", "an older version of the start page"): Example(
        {**ALPHA, "version": 1}, WRITTEN
    ),
    ("save_wiki_page", ""): Example(
        {**PAGE, "replace": [{"find": "hello", "with": "good day"}]}, WRITTEN
    ),
    ("save_wiki_page", "a new page"): Example({**ALPHA, "title": "A", "text": "a"}, WRITTEN),
    ("save_wiki_page", "dry run"): Example(
        {**PAGE, "text": "x", "expected_version": 1, "dry_run": True}, WRITTEN
    ),
    ("save_wiki_page", "dry run of a move"): Example(
        {**PAGE, "new_title": "A", "dry_run": True}, WRITTEN
    ),
    ("delete_wiki_page", ""): Example({**PAGE, **YES}, WRITTEN),
    ("list_projects", ""): Example({}),
    ("get_project", ""): Example(ALPHA),
    ("get_project", "without members and versions"): Example({**ALPHA, "include": ["trackers"]}),
    ("project_summary", "up to 100 issues"): Example(ALPHA),
    ("list_versions", ""): Example(ALPHA),
    ("create_version", ""): Example({**ALPHA, "name": "8"}, {**ALPHA, "name": "7"}),
    ("update_version", ""): Example({**ALPHA, "version": "1.1", "description": "x"}),
    ("delete_version", ""): Example(
        {**ALPHA, "version": "9", **YES}, ("create_version", {**ALPHA, "name": "9"})
    ),
    ("list_members", ""): Example(ALPHA),
    ("add_member", ""): Example(
        {"project": "gamma", "user": "Carol Clark", "roles": ["Reporter"]},
        {"project": "gamma", "user": "Nobody", "roles": ["Reporter"]},
    ),
    ("add_member", "by an administrator"): admin(
        {"project": "gamma", "user": "Dave", "roles": ["Reporter"]},
        {"project": "gamma", "user": "Carol", "roles": ["Reporter"]},
    ),
    ("update_member", ""): Example({**ALPHA, "user": "Carol Clark", "roles": ["Developer"]}),
    ("remove_member", ""): Example(
        {**ALPHA, "user": "Carol Clark", **YES}, {**ALPHA, "user": "Nobody", **YES}
    ),
    ("list_categories", ""): Example(ALPHA),
    ("create_category", ""): Example({**ALPHA, "name": "b"}, {**ALPHA, "name": "a"}),
    ("update_category", ""): Example({**ALPHA, "category": "UI", "name": "UI"}),
    ("delete_category", ""): Example(
        {**ALPHA, "category": "UI", **YES}, {**ALPHA, "category": "nothing", **YES}
    ),
    ("list_queries", ""): Example(ALPHA),
    ("list_reference_data", ""): Example({}),
    ("create_project", ""): admin(
        {"name": "B", "identifier": "b"}, {"name": "A", "identifier": "a"}
    ),
    ("update_project", ""): admin({**ALPHA, "description": "x"}),
    ("close_project", ""): admin({"project": "beta"}),
    ("reopen_project", ""): admin({"project": "beta"}),
    ("archive_project", ""): admin({"project": "beta", **YES}, {"project": "gamma", **YES}),
    ("unarchive_project", ""): admin({"project": "beta"}),
    ("delete_project", ""): admin({"project": "beta", **YES}, {"project": "gamma", **YES}),
}

PROMISED = {
    (tool, how): (int(calls), why)
    for tool, how, calls, why in ROW.findall(TABLE.read_text("utf-8"))
}


async def calls_of(tool: str, example: Example, folder: Path) -> int:
    """How often Redmine is asked for the example, on a computer with one file."""
    (folder / "a.txt").write_text("a", encoding="utf-8")
    files = LocalFiles(folder)
    sandbox = Sandbox("http://redmine.test")
    scopes = sorted({scope for plugin in PLUGINS for scope in plugin.scopes})
    token = sandbox.grant(example.login, scopes).access_token
    way = httpx.ASGITransport(sandbox.app)
    async with client_for(*PLUGINS, redmine=way, token=token, files=files) as client:
        match example.before:
            case None:
                first, before = tool, example.counted
            case (other, arguments):
                first, before = other, arguments
            case arguments:
                first, before = tool, arguments
        await client.call_tool(first, dict(before), raise_on_error=False)
        sandbox.requests.clear()
        result = await client.call_tool(tool, dict(example.counted), raise_on_error=False)
    assert not result.is_error, text_of(result)
    return len(sandbox.requests)


@pytest.mark.parametrize(("tool", "how"), EXAMPLES, ids=lambda part: part.replace("`", ""))
async def test_redmine_is_asked_as_often_as_promised(tool: str, how: str, tmp_path: Path) -> None:
    """Once reference data is known; what takes more than one call has a reason."""
    calls, why = PROMISED[tool, how]

    assert await calls_of(tool, EXAMPLES[tool, how], tmp_path) == calls
    assert bool(why) == (calls > 1), why


def test_every_tool_is_counted() -> None:
    """A new tool has to say how often it asks."""
    tools = {tool.name for plugin in PLUGINS for tool in plugin.tools}

    assert {tool for tool, _ in EXAMPLES} == tools
    assert PROMISED.keys() - {("project_summary", "of more")} == EXAMPLES.keys()
