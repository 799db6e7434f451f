"""Scopes for those who come with an API key: what is let through to Redmine, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.redmine import Credential, Fence, Forbidden, Gateway, MissingScope, Redmine
from redmine_mcp_core.redmine.fence import _ROUTES
from tests.support.servers import Target

READER = Fence(frozenset({"view_issues", "view_project"}))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/issues.json"),
        ("GET", "/issues/5.json"),
        ("GET", "/projects/alpha/issues.json"),
        ("GET", "/projects/alpha.json"),
        ("GET", "/my/account.json"),
        ("GET", "/trackers.json"),
        ("GET", "/enumerations/issue_priorities.json"),
        ("GET", "/attachments/download/7"),
    ],
)
def test_what_the_scopes_cover_passes(method: str, path: str) -> None:
    """One of the permissions that Redmine asks for is enough."""
    READER.check(method, path)


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("POST", "/issues.json", "add_issues"),
        ("PUT", "/issues/5.json", "edit_issues"),
        ("DELETE", "/issues/5.json", "delete_issues"),
        ("GET", "/time_entries.json", "view_time_entries"),
        ("GET", "/projects/alpha/memberships.json", "view_members"),
        ("GET", "/search.json", "search_project"),
        ("GET", "/users.json", "admin"),
        ("PUT", "/projects/alpha/archive.json", "admin"),
        ("GET", "/projects/alpha/wiki/index.json", "view_wiki_pages"),
        ("GET", "/projects/alpha/wiki/Wiki/1.json", "view_wiki_edits"),
        ("PUT", "/projects/alpha/wiki/Wiki.json", "edit_wiki_pages"),
        ("DELETE", "/projects/alpha/wiki/Wiki.json", "delete_wiki_pages"),
    ],
)
def test_what_they_do_not_cover_is_named(method: str, path: str, permission: str) -> None:
    """The refusal names the permission, and Redmine is not asked."""
    with pytest.raises(MissingScope, match=permission):
        READER.check(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/settings.json"),
        ("POST", "/users.json"),
        ("GET", "/issues/5/../../settings.json"),
        ("GET", "/issues//5.json"),
        ("DELETE", "/my/account.json"),
        ("GET", "/projects/alpha/issues/../memberships.json"),
        ("TRACE", "/issues.json"),
    ],
)
def test_what_stands_nowhere_is_refused(method: str, path: str) -> None:
    """A route that the table does not know is closed, whatever the scopes are."""
    everything = Fence(frozenset().union(*(route.permissions for route in _ROUTES)))
    with pytest.raises(Forbidden):
        everything.check(method, path)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_read_only_is_read_only(method: str) -> None:
    """Whatever the scopes are."""
    with pytest.raises(Forbidden, match="only read"):
        Fence(frozenset({"edit_issues", "admin"}), read_only=True).check(method, "/issues/5.json")


def test_what_redmine_would_leave_out_is_left_out() -> None:
    """Private notes, watchers and hours are there for those scopes only that show them."""
    answer: dict[str, Any] = {
        "issue": {
            "id": 5,
            "spent_hours": 1.5,
            "watchers": [{"id": 1}],
            "journals": [{"id": 1, "private_notes": True}, {"id": 2, "private_notes": False}],
        }
    }

    assert READER.trim(answer) == {
        "issue": {"id": 5, "journals": [{"id": 2, "private_notes": False}]}
    }
    whole = Fence(frozenset({"view_private_notes", "view_time_entries", "view_issue_watchers"}))
    kept: dict[str, Any] = {"issues": [{"spent_hours": 1, "journals": [{"private_notes": True}]}]}
    assert whole.trim(kept) == {
        "issues": [{"spent_hours": 1, "journals": [{"private_notes": True}]}]
    }


async def test_redmine_is_not_asked(sandbox: Target) -> None:
    """A refused request never leaves; a file neither."""
    assert sandbox.sandbox is not None
    async with Gateway(sandbox.url) as gateway:
        key = Credential.api_key(sandbox.sandbox.api_key("alice"))
        redmine = Redmine(gateway, key, fence=Fence(frozenset({"view_project"})))
        with pytest.raises(MissingScope):
            await redmine.get("/issues/1.json")
        with pytest.raises(MissingScope):
            await redmine.download("/attachments/download/1", limit=1000)

    assert sandbox.sandbox.requests == []
