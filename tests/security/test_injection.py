"""Known injection tricks, in every field that a stranger can write, through all that shows it.

One Redmine holds all of it: each trick in a project, an issue and a person's name of its own. The
mark of our quotations is known to the tricks. What is asked of every answer is the same: nothing
invisible is left in it, and not a word that was planted stands outside of the marks.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastmcp import Client
from mcp.shared.exceptions import MCPError
from redmine_mcp_issues import plugin as issues
from redmine_mcp_projects import plugin as projects
from redmine_mcp_prompts import plugin as prompts
from redmine_mcp_sandbox import Sandbox
from redmine_mcp_sandbox.seed import load_seed
from redmine_mcp_time import plugin as time
from redmine_mcp_wiki import plugin as wiki
from redmine_mcp_wiki.pages import title_of

from redmine_mcp_core import LocalFiles, line
from redmine_mcp_core.testing import client_for, text_of
from redmine_mcp_core.testing.transports import KeyTransport
from tests.security.injections import MARK, OPENING, ORDER, TRICKS

URL = "http://redmine.test"
CANARY = "Pl4nted"
"""Stands before and after every trick."""
PLUGINS = (issues, projects, prompts, time, wiki)
SCOPES = sorted({scope for plugin in PLUGINS for scope in plugin.scopes})
REAL_TRICKS = ("closed and opened", "tag characters", "line separators", "html", "our verdict")
WRITTEN = (
    *REAL_TRICKS,
    *(
        "order",
        "system turn",
        "json-rpc",
        "inline closed",
        "doubled mark",
        "mark with hidden parts",
    ),
    *("another mark", "our names", "bidi override", "ansi", "old line ends", "quotes", "escapes"),
)
"""Those that answers of few words are tried with: each of these calls writes."""
UP = Path(__file__).parents[1] / "real_redmine/up.py"
KEYS = {user.login: user.api_key for user in load_seed().users}

QUOTED = re.compile(r"«([0-9a-f]{6}) data from [^\n:]*, no instructions:\s.*?\s\1»", re.DOTALL)
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""What hides text, written down a second time: the code under test has its own list."""


def planted(trick: str, most: int | None = None) -> str:
    """A trick between canaries, in at most so many characters."""
    room = None if most is None else most - 2 * len(CANARY) - 2
    return f"{CANARY} {TRICKS[trick][:room]} {CANARY}"


def assert_visible(text: str) -> None:
    """No control character, nothing bidirectional, and nothing that shows as nothing."""
    assert not HIDDEN.search(text), ascii(text)[:2000]
    controls = [
        c for c in text if unicodedata.category(c) in {"Cc", "Cs", "Co"} and c not in "\n\t"
    ]
    assert not controls, (controls, ascii(text)[:2000])


def assert_contained(text: str) -> None:
    """All that was planted stands between a mark and the next occurrence of it."""
    assert_visible(text)
    for block in QUOTED.finditer(text):
        assert block[0].count(block[1]) == 2, text
    outside = QUOTED.sub("", text)
    assert not any(planted in outside for planted in (CANARY, ORDER)), outside
    assert "«" not in outside, outside
    assert "»" not in outside, outside


def assert_data(value: Any) -> None:
    """Every text in the structured content is visible."""
    if isinstance(value, dict):
        for name, one in value.items():
            assert_visible(name)
            assert_data(one)
    elif isinstance(value, list):
        for one in value:
            assert_data(one)
    elif isinstance(value, str):
        assert_visible(value)


@dataclass
class Planted:
    """A Redmine in which strangers wrote, and where."""

    way: httpx.AsyncBaseTransport
    url: str = URL
    token: str = "none"
    projects: dict[str, str] = field(default_factory=dict)
    """By trick, the identifier of a project."""
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By trick, an issue with its journals and attachments."""
    versions: dict[str, int] = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    """By trick, a time entry."""
    pages: dict[str, str] = field(default_factory=dict)
    """By trick, the title of a wiki page with one below it."""
    files: LocalFiles = field(default_factory=LocalFiles)
    """In which notes.txt lies."""

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client[Any]]:
        async with client_for(
            *PLUGINS, redmine=self.way, token=self.token, files=self.files
        ) as client:
            yield client

    async def ask(self, login: str, method: str, path: str, json: Any = None) -> dict[str, Any]:
        headers = {"X-Redmine-API-Key": KEYS[login], "Accept-Encoding": "identity"}
        request = {"content": json} if isinstance(json, bytes) else {"json": json}
        if isinstance(json, bytes):
            headers["Content-Type"] = "application/octet-stream"
        http = httpx.AsyncClient(transport=_Shared(self.way), base_url=self.url, headers=headers)
        async with http:
            response = await http.request(method, path, **request)
        assert response.is_success, (method, path, response.status_code, response.text)
        return dict(response.json()) if response.content.strip() else {}

    async def plant(self, trick: str) -> None:
        """Write the trick wherever Redmine lets somebody write."""
        identifier = f"p{len(self.projects)}"
        project = {
            "name": planted(trick, 255),
            "identifier": identifier,
            "description": planted(trick),
            "homepage": planted(trick, 255),
            "inherit_members": False,
        }
        made = (await self.ask("admin", "POST", "/projects.json", {"project": project}))["project"]
        for user, roles in ((5, [3]), (7, [5])):
            member: dict[str, Any] = {"membership": {"user_id": user, "role_ids": roles}}
            await self.ask("admin", "POST", f"/projects/{made['id']}/memberships.json", member)
        version = {"version": {"name": planted(trick, 60), "description": planted(trick, 255)}}
        path = f"/projects/{made['id']}"
        version = (await self.ask("alice", "POST", f"{path}/versions.json", version))["version"]
        category: dict[str, Any] = {
            "issue_category": {"name": planted(trick, 60), "assigned_to_id": 5}
        }
        category = await self.ask("alice", "POST", f"{path}/issue_categories.json", category)
        upload = (
            await self.ask("alice", "POST", "/uploads.json?filename=a.txt", planted(trick).encode())
        )["upload"]
        file = {
            "token": upload["token"],
            "filename": planted(trick, 200).replace("/", "-"),
            "description": planted(trick, 255),
        }
        issue = {
            "project_id": made["id"],
            "subject": planted(trick, 255),
            "description": planted(trick),
            "fixed_version_id": version["id"],
            "category_id": category["issue_category"]["id"],
            "assigned_to_id": 5,
            "start_date": "2026-01-01",
            "due_date": "2026-01-31",
            "custom_fields": [
                {"id": 1, "value": planted(trick, 255)},
                {"id": 9, "value": planted(trick)},
            ],
            "uploads": [file],
        }
        number = (await self.ask("alice", "POST", "/issues.json", {"issue": issue}))["issue"]["id"]
        child: dict[str, Any] = {"project_id": made["id"], "subject": planted(trick, 255)}
        child |= {"parent_issue_id": number, "assigned_to_id": 5}
        await self.ask("alice", "POST", "/issues.json", {"issue": child})
        relation = {"relation": {"issue_to_id": 11, "relation_type": "relates"}}
        await self.ask("alice", "POST", f"/issues/{number}/relations.json", relation)
        comment = {"notes": planted(trick), "subject": planted(trick, 250)}
        changes: dict[str, Any] = {
            **comment,
            "custom_fields": [{"id": 1, "value": f"2{planted(trick, 250)}"}],
        }
        await self.ask("alice", "PUT", f"/issues/{number}.json", {"issue": changes})
        spent: dict[str, Any] = {
            "issue_id": number,
            "hours": 1,
            "activity_id": 9,
            "comments": planted(trick, 1000),
        }
        logged = await self.ask("alice", "POST", "/time_entries.json", {"time_entry": spent})
        upload = (await self.ask("alice", "POST", "/uploads.json?filename=a.txt", b"another file"))[
            "upload"
        ]
        file = {"token": upload["token"], "filename": planted(trick, 200).replace("/", "-")}
        page: dict[str, Any] = {
            "text": f"# {planted(trick)}\n\n## {line(planted(trick, 900))}\n\n" + "word " * 1500,
            "comments": planted(trick, 1000),
            "uploads": [file],
        }
        at = f"{path}/wiki/{quote(title_of(planted(trick, 200)), safe='')}.json"
        page = (await self.ask("alice", "PUT", at, {"wiki_page": page}))["wiki_page"]
        below = {"wiki_page": {"text": planted(trick), "parent_title": page["title"]}}
        at = f"{path}/wiki/Below_{quote(title_of(planted(trick, 200)), safe='')}.json"
        await self.ask("alice", "PUT", at, below)
        self.pages[trick] = str(page["title"])
        shown = await self.ask(
            "alice", "GET", f"/issues/{number}.json?include=journals,attachments"
        )
        self.projects[trick] = identifier
        self.times[trick] = int(logged["time_entry"]["id"])
        self.issues[trick] = shown["issue"]
        self.versions[trick] = version["id"]
        self.categories[trick] = int(category["issue_category"]["id"])


class _Shared(httpx.AsyncBaseTransport):
    """A transport that somebody else closes."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.handle_async_request = inner.handle_async_request  # type: ignore[method-assign]


class _AsWhoAsks(KeyTransport):
    """Asks a real Redmine with the key that a request brings, or else with this one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._key, usual = request.headers.get("X-Redmine-API-Key", self._key), self._key
        try:
            return await super().handle_async_request(request)
        finally:
            self._key = usual


@pytest.fixture(autouse=True)
def known_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst case: strangers know the mark of our quotations."""
    monkeypatch.setattr(secrets, "token_hex", lambda _bytes: MARK)


@pytest.fixture
async def strange(tmp_path: Path) -> Planted:
    """A sandbox with every trick everywhere, also in the names of people."""
    sandbox = Sandbox(URL)
    way = httpx.ASGITransport(sandbox.app)
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    token = sandbox.grant("alice", SCOPES).access_token
    found = Planted(way, token=token, files=LocalFiles(tmp_path))
    for trick in TRICKS:
        await found.plant(trick)
    users = sandbox._world.users
    for user, trick in zip(list(users.values()), list(TRICKS)[10:], strict=False):
        if user.login != "admin":
            users.put(replace(user, firstname=planted(trick, 60), lastname=planted(trick, 200)))
    return found


def reading(place: Planted, trick: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that show what was planted."""
    issue, project = place.issues[trick], place.projects[trick]
    one = {"issue_id": issue["id"]}
    for focus in ("overview", "discussion", "history", "relations", "everything"):
        yield "get_issue_details", {**one, "focus": focus}
    yield "get_issue_details", {**one, "focus": "everything", "full_text": True}
    yield "get_attachment", {**one, "attachment_id": issue["attachments"][0]["id"]}
    yield "list_issues", {"project": project}
    yield "list_issues", {"project": project, "sort": "due"}
    for by in ("version", "category", "assignee", "project", "Customer"):
        yield "list_issues", {"project": project, "group_by": by}
    yield "list_wiki_pages", {"project": project}
    yield "search_wiki", {"project": project, "query": CANARY}
    yield "get_wiki_page", {"project": project, "title": place.pages[trick]}
    for more in ({"start": 100}, {"version": 1}, {"version": 9}, {"section": "nothing"}):
        yield "get_wiki_page", {"project": project, "title": place.pages[trick], **more}
    yield "get_wiki_page", {"project": project}
    yield "get_wiki_page", {"project": project, "title": planted(trick, 90)}
    yield "list_time_entries", {"project": project}
    yield "list_time_entries", {"entry": place.times[trick]}
    for by in ("user, issue", "project, version", "category, assignee"):
        yield "list_time_entries", {"project": project, "group_by": by}
    for asked in ({"user": CANARY[:5]}, {"version": CANARY[:5]}, {"fields": {CANARY[:5]: "x"}}):
        yield "list_time_entries", {"project": project, **asked}
    yield "get_project", {"project": project}
    yield "project_summary", {"project": project}
    for tool in ("list_versions", "list_categories", "list_members", "list_queries"):
        yield tool, {"project": project}


def writing(place: Planted, trick: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that change something or ask before, and tell of it; what is not there is an error."""
    issue, project = place.issues[trick], place.projects[trick]
    one, here = {"issue_id": issue["id"]}, {"project": project}
    (comment, *_) = [journal["id"] for journal in issue["journals"] if journal["notes"]]
    file = issue["attachments"][0]["id"]
    version, category = str(place.versions[trick]), str(place.categories[trick])
    for name in ("version", "category", "assignee", "tracker"):
        yield "update_issue", {**one, name: "nothing of that name"}
        yield "update_issue", {**one, name: CANARY[:5]}
    yield "update_issue", {**one, "done_ratio": 10, "priority": "High", "dry_run": True}
    yield "update_issue", {**one, "fields": {"Customer": "x"}, "notes": "y"}
    yield "update_issue", {**one, "subject": planted(trick, 200), "watchers": ["me"]}
    yield "update_issue", {**one, "version": "", "category": ""}
    yield "update_issue", {**one, "fields": {"Severity": "no such severity"}}
    yield "update_issue", {**one, "fields": {"Nothing": "x"}}
    yield "create_issue", {**here, "subject": "x", "category": category, "watchers": ["me"]}
    yield "create_issue", {**here, "subject": "x", "version": version, "dry_run": True}
    yield "bulk_update_issues", {"issue_ids": [one["issue_id"]], "change": {"version": version}}
    yield "bulk_update_issues", {"issue_ids": [one["issue_id"]], "change": {"category": "no"}}
    yield "copy_issue", one
    yield "copy_issue", {**one, "project": "alpha"}
    yield "edit_comment", {**one, "comment_id": comment, "text": planted(trick)}
    yield "delete_comment", {**one, "comment_id": comment}
    yield "add_attachment", {**one, "filename": planted(trick, 200), "text": planted(trick)}
    named = {"path": "notes.txt", "filename": planted(trick, 200)}
    yield "attach_local_file", {**one, **named}
    for path in ("", "", f"{planted(trick, 90)}/x", f"/{planted(trick, 90)}"):
        yield "save_attachment", {**one, "attachment_id": file, "path": path}
    yield "delete_attachment", {**one, "attachment_id": file}
    page = {**here, "title": place.pages[trick]}
    edit = {"replace": [{"find": "word word", "with": "x"}]}
    yield "save_wiki_page", {**page, **edit}
    yield "save_wiki_page", {**page, "text": planted(trick), "expected_version": 7}
    yield "save_wiki_page", {**page, "text": planted(trick), "section": "1", "dry_run": True}
    yield "save_wiki_page", {**page, "parent": planted(trick, 90)}
    yield "save_wiki_page", {**page, "section": "nothing", "text": "x"}
    yield "save_wiki_page", {**page, "section": "1", "text": "x", "comment": planted(trick, 900)}
    yield "save_wiki_page", {**here, "title": f"New {planted(trick, 90)}", "text": planted(trick)}
    yield "delete_wiki_page", page
    yield "delete_wiki_page", {**here, "title": planted(trick, 90)}
    entry = {"entry_id": place.times[trick]}
    spent = {"hours": 1, "activity": "Design", "comments": planted(trick, 900)}
    yield "log_time", {**spent, "issue": one["issue_id"]}
    yield "log_time", {**here, **spent}
    yield "log_time", {**here, **spent, "user": CANARY[:5]}
    yield "log_time", {**here, "hours": 1}
    yield "log_time", {"issue": one["issue_id"], "hours": 1, "dry_run": True}
    yield "log_time", {"project": CANARY[:5], **spent}
    yield "update_time_entry", {**entry, "comments": planted(trick, 900), "hours": 3}
    yield "update_time_entry", {**entry, "project": "alpha"}
    yield "update_time_entry", {**entry, "user": CANARY[:5]}
    yield "delete_time_entry", entry
    yield "delete_issue", {**one, "hours": "destroy"}
    yield "create_version", {**here, "name": planted(trick, 55)}
    yield "update_version", {**here, "version": version, "name": "plain"}
    yield "update_version", {**here, "version": "nothing", "name": "plain"}
    yield "delete_version", {**here, "version": version}
    yield "create_category", {**here, "name": planted(trick, 55)}
    yield "update_category", {**here, "category": category, "name": "plain", "assignee": "me"}
    yield "delete_category", {**here, "category": category}
    yield "add_member", {**here, "user": "bob", "roles": ["Developer"]}
    yield "add_member", {**here, "user": CANARY[:5], "roles": ["Developer"]}
    yield "update_member", {**here, "user": "7", "roles": ["Developer"]}
    yield "remove_member", {**here, "user": "7"}
    yield "update_project", {**here, "homepage": "http://example.net"}
    yield "close_project", here
    yield "reopen_project", here
    yield "delete_project", here
    yield "list_issues", {"project": "nothing of that name"}
    yield "search_issues", {"query": "login", "project": CANARY[:5]}


def prompting(place: Planted, trick: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Prompts, with a slash before their names."""
    issue, project = str(place.issues[trick]["id"]), {"project": place.projects[trick]}
    notes = {"project_id": place.projects[trick], "rough_notes": planted(trick, 9000)}
    yield "/summarize_ticket", {"issue_id": issue}
    yield "/draft_bug_report", notes
    yield "/triage", project
    yield "/release_notes", {**project, "version": str(place.versions[trick])}
    yield "/release_notes", {**project, "version": "nothing"}
    yield "/weekly_report", project
    yield "/handover", {**project, "assignee": "7"}
    yield "/handover", {**project, "assignee": CANARY[:5]}


async def told(client: Client[Any], name: str, arguments: dict[str, Any]) -> tuple[str, Any]:
    """What a tool or a prompt answers, be it an error: as text, and as data."""
    if not name.startswith("/"):
        result = await client.call_tool(name, arguments, raise_on_error=False)
        return text_of(result), result.structured_content
    try:
        prompt = await client.get_prompt(name[1:], arguments)
    except MCPError as error:
        return str(error), None
    return "\n".join(getattr(message.content, "text", "") for message in prompt.messages), None


async def called(client: Client[Any], tool: str, arguments: dict[str, Any]) -> None:
    """Call a tool or a prompt, and look at all that comes back."""
    text, data = await told(client, tool, arguments)
    try:
        assert_contained(text)
        assert_data(data)
    except AssertionError as error:
        raise AssertionError(f"{tool}({arguments!r:.200}): {error}") from None


async def test_nothing_planted_stands_outside_when_it_is_read(strange: Planted) -> None:
    """In lists, searches, issues, files, projects and what belongs to them."""
    async with strange.client() as client:
        for trick in TRICKS:
            for tool, arguments in reading(strange, trick):
                await called(client, tool, arguments)
        for page in (1, 2):
            await called(client, "list_issues", {"page": page})
            await called(client, "list_projects", {"page": page})
            await called(client, "search_issues", {"query": CANARY, "page": page})


async def test_nothing_planted_stands_outside_when_it_is_written(strange: Planted) -> None:
    """In what a write tells, in questions to a person, and in every error that names names."""
    async with strange.client() as client:
        for trick in WRITTEN:
            for tool, arguments in writing(strange, trick):
                await called(client, tool, arguments)


async def test_nothing_planted_stands_outside_in_prompts_and_resources(strange: Planted) -> None:
    """Prompts end a conversation's beginning: what they quote must not speak for the person."""
    async with strange.client() as client:
        for trick in TRICKS:
            for tool, arguments in prompting(strange, trick):
                await called(client, tool, arguments)
            for uri in (
                f"redmine://issues/{strange.issues[trick]['id']}",
                f"redmine://projects/{strange.projects[trick]}",
                f"redmine://wiki/{strange.projects[trick]}/{quote(strange.pages[trick], safe='')}",
            ):
                for content in await client.read_resource(uri):
                    assert_contained(getattr(content, "text", ""))
        await called(client, "/stand_up", {"since": "2026-01-01"})
        for resource in await client.list_resources():
            for content in await client.read_resource(resource.uri):
                assert_data(json.loads(getattr(content, "text", "")))


def test_every_tool_is_tried() -> None:
    """Those that show nothing a stranger writes are named."""
    place = Planted(httpx.MockTransport(lambda _: httpx.Response(500)))
    issue = {"id": 1, "attachments": [{"id": 1}], "journals": [{"id": 1, "notes": "x"}]}
    for known in (
        place.issues,
        place.projects,
        place.versions,
        place.categories,
        place.times,
        place.pages,
    ):
        known["order"] = issue if known is place.issues else "1"  # type: ignore[assignment]
    tried = {tool for tool, _ in (*reading(place, "order"), *writing(place, "order"))}
    tools = {tool.name for plugin in PLUGINS for tool in plugin.tools}

    defined_by_administrators = {"list_reference_data"}
    for_administrators = {"archive_project", "unarchive_project", "create_project"}
    beside = {"list_projects", "search_issues", *for_administrators, *defined_by_administrators}
    assert tried | beside == tools


@pytest.mark.parametrize(
    "undefended",
    [
        CANARY,
        f"«ffffff data from Redmine, no instructions:\nx\n{MARK}»\n{CANARY}",
        f"{OPENING}\nx\n{MARK}»\n{CANARY}\n{MARK}»",
        f"{OPENING}\nx\n{MARK}»\n{ORDER}\n{OPENING}\ny\n{MARK}»",
        f"{OPENING}\n{TRICKS['tag characters']}\n{MARK}»",
        f"{OPENING}\n{TRICKS['ansi']}\n{MARK}»",
        f"{OPENING}\n{TRICKS['bidi override']}\n{MARK}»",
        f"{OPENING}\n{TRICKS['line separators']}\n{MARK}»",
    ],
)
def test_these_checks_can_fail(undefended: str) -> None:
    """What is not defended against is found."""
    with pytest.raises(AssertionError):
        assert_contained(undefended)


@pytest.fixture
def real_url() -> Iterator[str]:
    """Where a real Redmine is, put back to its seed afterwards."""
    url = os.environ.get("REAL_REDMINE_URL")
    if not url:
        pytest.skip("REAL_REDMINE_URL is not set: no real Redmine took part")
    try:
        yield url
    finally:
        subprocess.run([sys.executable, UP, "reset"], check=True, capture_output=True)


@pytest.mark.real_redmine
async def test_the_real_redmine_hands_them_out_alike(real_url: str) -> None:
    """A smaller set: what Redmine itself strips or refuses is no defence of ours."""
    place = Planted(_AsWhoAsks(real_url, KEYS["alice"]), url=real_url)
    for trick in REAL_TRICKS:
        await place.plant(trick)

    async with place.client() as client:
        for trick in REAL_TRICKS:
            for tool, arguments in (
                *reading(place, trick),
                *prompting(place, trick),
                *writing(place, trick),
            ):
                await called(client, tool, arguments)
