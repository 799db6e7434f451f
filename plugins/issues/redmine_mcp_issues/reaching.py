"""The issue and the project that a write is about, read as the caller."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from redmine_mcp_core import Forbidden, NotFound, Redmine
from redmine_mcp_issues.naming import in_project


async def issue_of(
    redmine: Redmine, issue_id: int, include: Collection[str] = ()
) -> dict[str, Any]:
    """An issue. Raises ``NotFound`` for one that is hidden, too: which it was is not told."""
    try:
        answer = await redmine.get(f"/issues/{issue_id}.json", include=set(include) or None)
    except (NotFound, Forbidden):
        raise NotFound(f"Issue #{issue_id}") from None
    issue: dict[str, Any] = answer["issue"]
    return issue


async def project_of(redmine: Redmine, named: str | int) -> dict[str, Any]:
    """A project with its trackers, by identifier, name or id.

    Raises ``BadArgument`` with the projects there are.
    """

    async def ask(path: str) -> dict[str, Any]:
        answer = await redmine.get(f"/projects/{path}.json", include="trackers")
        project: dict[str, Any] = answer["project"]
        return project

    return await in_project(redmine, str(named), ask)
