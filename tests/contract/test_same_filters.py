"""Filters, orders and saved queries of lists of issues: the sandbox finds what Redmine finds."""

from __future__ import annotations

import pytest

from .conftest import NEEDS_REAL
from .target import Target

pytestmark = NEEDS_REAL

WISHES = [
    "any_searchable=*~login form",
    "any_searchable=~login",
    "assigned_to_id=9",
    "attachment=*",
    "attachment=~png",
    "author_id=*",
    "blocked=!*",
    "blocks=*",
    "cf_1=!Acme",
    "cf_1=^Ac",
    "cf_3=*",
    "cf_7=1",
    "cf_8=me",
    "cf_9=~entry",
    "child_id=*",
    "child_id=4",
    "child_id=~4",
    "closed_on=y&status_id=*",
    "created_on=<t-30",
    "created_on=nw",
    "created_on=t-x",
    "created_on=y",
    "due_date=2026-02-10T10:00:00Z",
    "due_date=<t+0",
    "due_date=<t+x",
    "due_date=>=2026-02-01&sort=due_date",
    "due_date=>t-300",
    "due_date=nw",
    "due_date=t+5",
    "duplicates=*",
    "estimated_hours=*",
    "f[]=assigned_to_id&op[assigned_to_id]=!*&f[]=status_id&op[status_id]=o",
    "f[]=project_id&op[project_id]==&v[project_id][]=1&v[project_id][]=3",
    "f[]=status_id&op[status_id]=c",
    "f[]=tracker_id&op[tracker_id]==&v[tracker_id][]=1&v[tracker_id][]=2",
    "fixed_version_id=*&sort=fixed_version:desc,priority:desc",
    "follows=*",
    "is_private=0&tracker_id=1",
    "is_private=1",
    "last_updated_by=6",
    "notes=~button",
    "parent_id=!*",
    "parent_id=*",
    "parent_id=1",
    "parent_id=x",
    "parent_id=~1",
    "precedes=*",
    "priority_id=!*",
    "project.status=1",
    "query_id=1",
    "query_id=1&project_id=alpha",
    "query_id=1&status_id=*",
    "query_id=2",
    "query_id=3",
    "query_id=4",
    "query_id=4&sort=id",
    "query_id=99",
    "relates=21",
    "sort=cf_1,id",
    "sort=cf_2:desc,cf_4",
    "sort=cf_4:desc",
    "sort=cf_6:desc",
    "sort=spent_hours:desc,id",
    "spent_time=!*",
    "spent_time=*",
    "spent_time=>=2",
    "start_date=lm",
    "subject=!",
    "tracker_id=*",
    "updated_by=!6",
    "updated_by=me",
    "updated_on=><t-400",
    "updated_on=>t-9",
    "updated_on=w",
    "watcher_id=!me",
    "watcher_id=7",
    "watcher_id=me",
]


@pytest.mark.parametrize("wish", WISHES)
def test_same_issues_found(sandbox: Target, real: Target, wish: str) -> None:
    """Both find the same issues in the same order, or refuse with the same words."""
    path = "/issues.json?limit=100&" + wish.replace("[", "%5B").replace("]", "%5D")
    for login in ("alice", "carol", None):
        expected, answered = (one.send(login, "GET", path) for one in (real, sandbox))

        assert expected.status_code == answered.status_code, login
        if expected.status_code != 200:
            assert expected.text == answered.text, login
            continue
        found = [
            [issue["id"] for issue in reply.json()["issues"]] for reply in (expected, answered)
        ]
        assert found[0] == found[1], login
