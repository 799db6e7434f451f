"""A Redmine in which strangers wrote each trick wherever Redmine lets somebody write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from fastmcp import Client
from redmine_mcp_issues import plugin as issues
from redmine_mcp_projects import plugin as projects
from redmine_mcp_prompts import plugin as prompts
from redmine_mcp_sandbox.seed import load_seed
from redmine_mcp_time import plugin as time
from redmine_mcp_wiki import plugin as wiki
from redmine_mcp_wiki.pages import title_of

from redmine_mcp_core import LocalFiles, line
from redmine_mcp_core.testing import client_for
from redmine_mcp_core.testing.transports import KeyTransport
from tests.security.injections import TRICKS

URL = "http://redmine.test"
CANARY = "Pl4nted"
"""Stands before and after every trick."""
PLUGINS = (issues, projects, prompts, time, wiki)
KEYS = {user.login: user.api_key for user in load_seed().users}


def planted(trick: str, most: int | None = None) -> str:
    """A trick between canaries, in at most so many characters."""
    room = None if most is None else most - 2 * len(CANARY) - 2
    return f"{CANARY} {TRICKS[trick][:room]} {CANARY}"


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


class AsWhoAsks(KeyTransport):
    """Asks a real Redmine with the key that a request brings, or else with this one."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._key, usual = request.headers.get("X-Redmine-API-Key", self._key), self._key
        try:
            return await super().handle_async_request(request)
        finally:
            self._key = usual
