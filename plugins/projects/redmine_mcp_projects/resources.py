"""The resources that this plugin adds."""

from __future__ import annotations

import json
from typing import Any

from redmine_mcp_core import MAX_PAGE_SIZE, CurrentRedmine, Redmine, line
from redmine_mcp_projects.plugin import plugin
from redmine_mcp_projects.reading import DEFAULT_INCLUDE, read_project
from redmine_mcp_projects.reference import ListName, entries


@plugin.resource("redmine://users/me", name="me", title="Who you are in Redmine")
async def me(
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """The signed-in user: id, login, name and mail."""
    user = await redmine.account()
    name = line(f"{user.get('firstname', '')} {user.get('lastname', '')}")
    shown = {"id": user["id"], "login": user["login"], "name": name, "mail": user.get("mail")}
    if user.get("admin"):
        shown["admin"] = True
    return _json(shown)


@plugin.resource("redmine://projects/active", name="active_projects", title="Active projects")
async def active_projects(redmine: Redmine = CurrentRedmine()) -> str:
    """The active projects you can see, by identifier; the first hundred, and how many there are."""
    answer = await redmine.get("/projects.json", limit=MAX_PAGE_SIZE)
    projects = {item["identifier"]: line(item["name"]) for item in answer["projects"]}
    return _json({"total": answer["total_count"], "projects": projects})


@plugin.resource("redmine://trackers", name="trackers", title="Trackers")
async def trackers(redmine: Redmine = CurrentRedmine()) -> str:
    """The trackers: kinds of issues, and the status each begins with."""
    return await _list(redmine, "trackers")


@plugin.resource("redmine://statuses", name="statuses", title="Issue statuses")
async def statuses(redmine: Redmine = CurrentRedmine()) -> str:
    """The statuses an issue can have, and which of them close it."""
    return await _list(redmine, "statuses")


@plugin.resource("redmine://priorities", name="priorities", title="Issue priorities")
async def priorities(redmine: Redmine = CurrentRedmine()) -> str:
    """The priorities an issue can have, lowest first."""
    return await _list(redmine, "priorities")


@plugin.resource(
    "redmine://projects/{project}",
    name="project",
    title="A project",
    mime_type="text/plain",
)
async def project(project: str, redmine: Redmine = CurrentRedmine()) -> str:
    """A project by identifier: description, members by role, versions, trackers, categories."""
    return (await read_project(redmine, project, DEFAULT_INCLUDE)).text()


async def _list(redmine: Redmine, name: ListName) -> str:
    """Id and name of each entry, and what is not as usual about it."""
    found = await entries(redmine, name)
    return _json([entry.model_dump(exclude_defaults=True) for entry in found])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
