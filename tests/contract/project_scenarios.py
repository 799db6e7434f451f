"""Scenarios that write projects, members and logged time, for ``test_same_writes.py``."""

from __future__ import annotations

from typing import Any

from .steps import Step, change, delete, get, look, new_issue, post, put

INCLUDE = "trackers,issue_categories,enabled_modules,time_entry_activities,issue_custom_fields"


def log(login: str | None = "alice", at: str = "/time_entries.json", **fields: Any) -> Step:
    return post(at, {"time_entry": fields}, login)


def new_version(login: str = "alice", **fields: Any) -> Step:
    return post("/projects/alpha/versions.json", {"version": fields}, login)


def new_category(login: str = "alice", **fields: Any) -> Step:
    return post("/projects/alpha/issue_categories.json", {"issue_category": fields}, login)


def new_member(login: str = "alice", **fields: Any) -> Step:
    return post("/projects/alpha/memberships.json", {"membership": fields}, login)


def new_project(login: str | None = "alice", **fields: Any) -> Step:
    return post("/projects.json", {"project": fields}, login)


def project(name: str, login: str | None = "alice") -> Step:
    return get(f"/projects/{name}.json?include={INCLUDE}", login)


TIME_FILTERS = (
    "limit=2",
    "project_id=alpha",
    "project_id=2",
    "project_id=nope",
    "project_id=1&subproject_id=!*",
    "issue_id=1",
    "issue_id=~1",
    "issue_id=999",
    "issue_id=x",
    "user_id=me",
    "user_id=99",
    "activity_id=8",
    "hours=%3E%3D3",
    "comments=~draft",
    "spent_on=2026-01-07",
    "spent_on=%3E%3C2026-01-08|2026-01-09",
    "spent_on=lm",
    "spent_on=x",
    "from=2026-01-08&to=2026-01-21",
    "from=2026-01-20",
    "to=2026-01-20",
    "from=x",
    "sort=hours:desc",
    "sort=user,spent_on",
    "sort=x",
    "issue.tracker_id=1",
    "issue.status_id=!5",
    "issue.fixed_version_id=2",
    "issue.fixed_version_id=!2",
    "issue.fixed_version_id=2|5",
    "issue.parent_id=1",
    "issue.parent_id=~1",
    "issue.parent_id=*",
    "issue.category_id=1",
    "issue.category_id=1&project_id=1",
    "issue.subject=~login",
    "user_id=5|6",
    "user_id=!me",
    "user.group=9",
    "user.group=!9",
    "user.role=3",
    "author_id=me",
    "activity_id=!8",
    "issue_id=!*",
    "comments=!*",
    "comments=*",
    "hours=><1|2",
    "project.status=1",
    "project.status=5",
    "project_id=1&subproject_id=2",
    "f[]=project_id&op[project_id]=%3D&v[project_id][]=1&v[project_id][]=3",
    "f[]=project_id&op[project_id]=%3D&v[project_id][]=2&f[]=spent_on&op[spent_on]=t",
    "sort=issue.tracker,hours",
    "sort=issue.fixed_version:desc",
    "sort=issue.category,issue",
    "sort=issue.status:desc,author",
    "sort=activity,project:desc",
)

SCENARIOS: dict[str, list[Step]] = {
    "time entries: read": [
        *(
            get(f"/time_entries.json?{wish}", login)
            for wish in TIME_FILTERS
            for login in ("alice", "carol")
        ),
        get("/time_entries.json", None),
        get("/projects/beta/time_entries.json"),
        get("/projects/gamma/time_entries.json", "carol"),
        get("/time_entries/1.json"),
        get("/time_entries/9.json", "carol"),
        get("/time_entries/99.json"),
    ],
    "time entries: write": [
        log(issue_id=1, hours="1h30", activity_id=8, comments="c", spent_on="2026-03-01"),
        log(),
        post("/time_entries.json", {}),
        log(project_id="alpha", hours=1, activity_id=8),
        log(project_id=1, hours=1),
        log(project_id=2, issue_id=1, hours=1, activity_id=8),
        log(issue_id=9999, hours=0, activity_id=99, spent_on="x", comments="x" * 1025, user_id=99),
        log(project_id=1, hours=1001, activity_id=8),
        log(project_id=1, hours=-1, activity_id=8),
        log(project_id=1, hours=1, activity_id=99),
        log(project_id=1, hours=1, activity_id=8, user_id=6),
        log(project_id=1, hours=1, activity_id=8, user_id=8),
        log("bob", project_id=1, hours=1, activity_id=8, user_id=5),
        log("carol", issue_id=43, hours=1, activity_id=8),
        log("carol", project_id=3, hours=1, activity_id=8),
        log("dave", project_id=1, hours=1, activity_id=8),
        log(None, project_id=1, hours=1, activity_id=8),
        log(at="/issues/12/time_entries.json", hours=1, activity_id=8),
        log(at="/projects/alpha/time_entries.json", hours=1, activity_id=8),
        put("/time_entries/2.json", {"time_entry": {"hours": 2}}, "bob"),
        put("/time_entries/2.json", {"time_entry": {"hours": 2, "comments": "by alice"}}),
        put("/time_entries/2.json", {"time_entry": {"hours": ""}}),
        put("/time_entries/2.json", {"time_entry": {"issue_id": "", "project_id": 2}}),
        get("/time_entries/2.json"),
        delete("/time_entries/2.json", login="carol"),
        delete("/time_entries/1.json"),
        delete("/time_entries/1.json"),
        get("/time_entries.json"),
        *look(1, 12),
    ],
    "versions": [
        *(get(f"/projects/{name}/versions.json", "carol") for name in ("alpha", "beta", "gamma")),
        get("/versions/2.json"),
        get("/versions/5.json", "carol"),
        new_version(name="3.0", due_date="2037-01-01", sharing="system", status="locked"),
        new_version(name="3.1", sharing="tree", description="d", wiki_page_title="W"),
        new_version(name="1.0", status="x", due_date="x"),
        new_version(),
        post("/projects/alpha/versions.json", {}),
        new_version("carol", name="z"),
        new_version("bob", name="by bob", sharing="hierarchy"),
        new_issue(project_id=2, subject="x", fixed_version_id=7),
        put("/versions/7.json", {"version": {"sharing": "none"}}),
        get("/issues/49.json"),
        put("/versions/2.json", {"version": {"status": "closed", "sharing": "none"}}),
        get("/versions/2.json"),
        put("/versions/2.json", {"version": {"name": ""}}),
        put("/versions/2.json", {}),
        put("/versions/2.json", {"version": {"name": "z"}}, "carol"),
        *(delete(f"/versions/{number}.json") for number in (2, 6, 99)),
    ],
    "categories": [
        get("/projects/alpha/issue_categories.json"),
        get("/projects/gamma/issue_categories.json", "carol"),
        get("/issue_categories/2.json"),
        new_category(name="New", assigned_to_id=6),
        new_category(name="Newer", assigned_to_id=99),
        new_category(name="UI"),
        new_category(name="x" * 61),
        post("/projects/alpha/issue_categories.json", {}),
        new_category("carol", name="q"),
        put("/issue_categories/2.json", {"issue_category": {"name": "P", "assigned_to_id": ""}}),
        put("/issue_categories/2.json", {"issue_category": {"name": ""}}),
        delete("/issue_categories/2.json?reassign_to_id=1"),
        delete("/issue_categories/3.json"),
        delete("/issue_categories/99.json"),
        *look(12, 13),
        get("/projects/alpha/issue_categories.json"),
    ],
    "members": [
        *(get("/projects/beta/memberships.json", login) for login in ("alice", "carol", None)),
        get("/projects/gamma/memberships.json", "carol"),
        *(get(f"/memberships/{number}.json", "carol") for number in (6, 8, 99)),
        new_member(user_id=8, role_ids=[4, 5]),
        new_member(user_id=8, role_ids=[4]),
        new_member(user_id=99, role_ids=[4]),
        new_member(user_id=9, role_ids=[]),
        new_member(user_id=9, role_ids=[5]),
        new_member(),
        post("/projects/alpha/memberships.json", {}),
        new_member("bob", user_id=1, role_ids=[4]),
        get("/projects/alpha/memberships.json"),
        put("/memberships/3.json", {"membership": {"role_ids": [4]}}),
        get("/memberships/3.json"),
        put("/memberships/3.json", {"membership": {"role_ids": []}}),
        get("/memberships/3.json"),
        put("/memberships/2.json", {"membership": {"role_ids": [3]}}),
        get("/memberships/2.json"),
        *(delete(f"/memberships/{number}.json") for number in (2, 10, 99)),
        get("/projects/alpha/memberships.json"),
        delete("/memberships/6.json", login="admin"),
        put("/memberships/6.json", {"membership": {"role_ids": [4]}}, "admin"),
        get("/memberships/6.json", "admin"),
        delete("/memberships/5.json", login="admin"),
        get("/projects/beta/memberships.json", "admin"),
        get("/groups/9.json?include=users,memberships", "admin"),
    ],
    "projects: create": [
        new_project(name="New", identifier="new-one"),
        project("new-one"),
        get("/projects/new-one/memberships.json"),
        new_project(name="", identifier="Bad Id!"),
        post("/projects.json", {}),
        new_project(name="x", identifier="alpha"),
        new_project(name="x", identifier="123"),
        new_project(name="x" * 256, identifier="x" * 101),
        *(new_project(login, name="x", identifier="x") for login in ("bob", "carol", None)),
        new_project(
            name="Sub",
            identifier="sub",
            parent_id=1,
            is_public=False,
            inherit_members=True,
            tracker_ids=[1, 3],
            enabled_module_names=["issue_tracking", "wiki"],
            description="d",
            homepage="h",
        ),
        project("sub"),
        get("/projects/sub/memberships.json"),
        new_issue(project_id="sub", subject="x", tracker_id=2),
        new_project(name="x", identifier="y", parent_id=2),
        new_project(name="x", identifier="y", parent_id=99),
        get("/projects.json"),
    ],
    "projects: update": [
        put(
            "/projects/alpha.json",
            {
                "project": {
                    "name": "Alpha!",
                    "description": "new",
                    "is_public": False,
                    "identifier": "changed",
                    "enabled_module_names": ["issue_tracking"],
                    "tracker_ids": [1],
                    "default_version_id": 2,
                    "default_assigned_to_id": 6,
                }
            },
        ),
        project("alpha"),
        project("alpha", "dave"),
        get("/time_entries.json?project_id=alpha"),
        new_issue(project_id=1, subject="x"),
        put("/projects/alpha.json", {"project": {"name": "x"}}, "carol"),
        put("/projects/alpha.json", {"project": {"name": ""}}),
        put("/projects/nope.json", {"project": {"name": ""}}),
        put("/projects/alpha.json", {"project": {"parent_id": 3}}),
        project("alpha"),
        put("/projects/alpha.json", {"project": {"parent_id": ""}}),
        put("/projects/beta.json", {"project": {"parent_id": ""}}),
        get("/projects.json"),
    ],
    "projects: close and archive": [
        put("/projects/gamma/close.json"),
        project("gamma"),
        get("/projects.json"),
        *(get(f"/projects.json?status={wish}") for wish in ("5", "*", "1|5")),
        change(43, notes="x"),
        new_issue(project_id=3, subject="x"),
        get("/issues.json?project_id=gamma&limit=1"),
        put("/projects/gamma/close.json", login="bob"),
        put("/projects/gamma/reopen.json"),
        change(43, notes="x"),
        put("/projects/gamma/archive.json"),
        put("/projects/gamma/archive.json", login="admin"),
        *(project("gamma", login) for login in ("alice", "admin")),
        get("/issues/43.json"),
        get("/issues.json?limit=1"),
        get("/search.json?q=login"),
        get("/projects.json?status=9", "admin"),
        put("/projects/gamma/unarchive.json", login="admin"),
        post("/projects/gamma/close.json"),
        post("/projects/gamma/reopen.json"),
        project("gamma"),
    ],
    "what administrators list": [
        *(
            get(path, login)
            for path in (
                "/users.json",
                "/users.json?name=ali",
                "/users.json?status=3",
                "/users.json?group_id=9",
                "/users.json?status=*&limit=2&offset=1",
                "/groups.json",
                "/groups/9.json",
                "/groups/99.json",
                "/custom_fields.json",
                "/roles.json",
                *(f"/roles/{number}.json" for number in (1, 2, 3, 4, 5, 99)),
                "/queries.json",
                "/queries.json?type=TimeEntryQuery",
                "/queries.json?type=ProjectQuery",
            )
            for login in ("admin", "carol", None)
        ),
    ],
}
