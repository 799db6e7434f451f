"""GET /queries: the saved queries. They are those of Redmine's default data; no API adds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redmine_mcp_sandbox.rest.call import Call
from redmine_mcp_sandbox.rest.querying import Wishes


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A public query of all projects."""

    id: int
    name: str
    filters: Wishes
    sort: str


def _about_me(field: str) -> Wishes:
    return {"status_id": ("o", [""]), field: ("=", ["me"]), "project.status": ("=", ["1"])}


ISSUE_QUERIES = (
    SavedQuery(
        1, "Issues assigned to me", _about_me("assigned_to_id"), "priority:desc,updated_on:desc"
    ),
    SavedQuery(2, "Reported issues", _about_me("author_id"), "updated_on:desc"),
    SavedQuery(3, "Updated issues", _about_me("updated_by"), "updated_on:desc"),
    SavedQuery(4, "Watched issues", _about_me("watcher_id"), "updated_on:desc"),
)
PROJECT_QUERIES = (SavedQuery(6, "My bookmarks", {}, ""), SavedQuery(5, "My projects", {}, ""))
TIME_QUERIES = (
    SavedQuery(
        7, "Spent time", {"spent_on": ("*", [""]), "user_id": ("=", ["me"])}, "spent_on:desc"
    ),
)
OF_TYPE = {
    "IssueQuery": ISSUE_QUERIES,
    "ProjectQuery": PROJECT_QUERIES,
    "TimeEntryQuery": TIME_QUERIES,
}


def index(call: Call) -> dict[str, Any]:
    found = OF_TYPE.get(call.query.get("type", ""), ISSUE_QUERIES)
    shown = [
        {"id": one.id, "name": one.name, "is_public": True, "project_id": None}
        for one in call.cut(found)
    ]
    return call.paged("queries", shown, len(found))


def saved_query(call: Call) -> SavedQuery | None:
    """The query that a list of issues names; None, if it names none."""
    if not call.query.get("query_id"):
        return None
    return call.find({query.id: query for query in ISSUE_QUERIES}, call.query["query_id"])
