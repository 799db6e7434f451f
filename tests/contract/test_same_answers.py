"""The sandbox answers as the real Redmine does, field by field, for each kind of caller.

The contract beside this says what the answers are; this finds where the two differ without
anybody having thought of it. Only the session's own traces are left out of the comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from .conftest import NEEDS_REAL
from .target import Target

pytestmark = NEEDS_REAL

EVERYTHING = "children,attachments,relations,changesets,journals,watchers,allowed_statuses"
OF_PROJECTS = "trackers,issue_categories,enabled_modules,time_entry_activities,issue_custom_fields"
ALL = "limit=100&status_id=*"

PATHS = [
    *(
        f"/issues/{number}.json?include={EVERYTHING}"
        for number in (*range(1, 8), 10, 12, 18, 20, 29, 36, 42, 43, 49)
    ),
    f"/issues.json?{ALL}&include=attachments,relations",
    "/issues.json",
    "/issues.json?limit=7&page=3",
    "/issues.json?nometa=1",
    "/issues.json?project_id=alpha&limit=100",
    "/issues.json?project_id=alpha&subproject_id=!*",
    "/issues.json?project_id=1&subproject_id=2",
    "/issues.json?project_id=gamma",
    "/issues.json?project_id=nope",
    "/projects/beta/issues.json",
    "/issues/abc.json",
    *(
        f"/issues.json?{wish}"
        for wish in (
            "assigned_to_id=!*",
            "assigned_to_id=6",
            "assigned_to_id=me",
            "author_id=!6",
            "author_id=me",
            "category_id=2",
            "category_id=2&project_id=1",
            "cf_1=Acme",
            "cf_1=~ac",
            "cf_2=",
            "cf_3=!linux",
            "cf_3=linux",
            "cf_4=%3E%3D8",
            "cf_4=x",
            "cf_6=2026-03-12",
            "cf_8=!*",
            "created_on=%3C%3D2026-01-10",
            "created_on=%3E%3C2026-01-10|2026-01-12",
            "created_on=bad",
            "done_ratio=%3E%3D50",
            "done_ratio=x",
            "due_date=2026-02-10",
            "due_date=x&status_id=",
            "estimated_hours=%3E%3C3|9",
            "fixed_version_id=!*",
            "fixed_version_id=2",
            "is_private=1&status_id=*",
            "issue_id=1,2,43",
            "issue_id=x",
            "parent_id=1",
            "parent_id=1|3",
            "priority_id=!2|3",
            "priority_id=4|5",
            "start_date=*",
            "status_id=!5|6",
            "status_id=99",
            "status_id=c",
            "subject=!~login",
            "subject=*~login search",
            "subject=Dark theme",
            "subject=^Login",
            "subject=~MÜLLER login",
            "subject=~login page",
            "tracker_id=!1",
            "tracker_id=&priority_id=",
            "unknown=1",
            "updated_on=%3E%3D2026-02-01T12:00:00Z",
        )
    ),
    *(
        f"/issues.json?{ALL}&sort={order}"
        for order in (
            "assigned_to",
            "author",
            "category",
            "closed_on",
            "done_ratio:desc,id",
            "due_date:desc",
            "estimated_hours:desc",
            "fixed_version,id:desc",
            "nonsense",
            "priority:desc,updated_on",
            "project,id",
            "status,subject",
            "tracker:desc",
            "updated_on:desc",
        )
    ),
    *(
        f"/search.json?q={question}"
        for question in (
            "",
            "x",
            '"login page"',
            "100%25",
            "MÜLLER",
            "Miller",
            "Müller",
            "a b cd",
            "change log",
            "invoice",
            "login page&all_words=",
            "login&limit=2&offset=1",
            "login&open_issues=1",
            "login&scope=my_projects",
            "login&titles_only=1",
            "login&wiki_pages=1",
            "nightingale",
            "nightly&wiki_pages=1",
            "sign-in&wiki_pages=1&titles_only=1",
            "Müller&wiki_pages=1&issues=1",
            "passkeys&attachments=1",
            "passkeys&attachments=only",
            "portal",
            "portal&projects=1",
            "vendor",
        )
    ),
    "/projects/alpha/search.json?q=login",
    "/projects/alpha/search.json?q=login&projects=1",
    "/projects/alpha/search.json?q=login&scope=subprojects",
    "/projects/gamma/search.json?q=login",
    "/projects/nope/search.json?q=login",
    "/projects/alpha/search.json?q=login&wiki_pages=1",
    "/projects/alpha/search.json?q=restore+server&wiki_pages=1",
    "/projects/gamma/search.json?q=nightingale&wiki_pages=1",
    *(
        f"/projects/{project}/wiki{page}.json"
        for project in ("alpha", "gamma", "nope")
        for page in ("", "/index", "/Wiki", "/Wiki/1")
    ),
    *(
        f"/projects/alpha/wiki/{page}.json"
        for page in ("sign-in", "Sign-in/1", "Sign-in/2", "Backups")
    ),
    *(f"/projects/gamma/wiki/{page}.json" for page in ("Plans", "Plans/1", "Backups")),
    f"/projects.json?include={OF_PROJECTS}",
    "/projects.json?limit=1&offset=1",
    *(f"/projects/{name}.json?include={OF_PROJECTS}" for name in ("1", "beta", "gamma", "nope")),
    "/my/account.json",
    "/users/current.json?include=memberships,groups",
    *(f"/users/{number}.json?include=memberships,groups" for number in (1, 5, 6, 7, 8, 9, 99)),
    "/users/abc.json",
    "/trackers.json",
    "/issue_statuses.json",
    "/enumerations/issue_priorities.json",
    "/enumerations/time_entry_activities.json",
    "/enumerations/document_categories.json",
    "/enumerations/nonsense.json",
    "/nonsense.json",
]

# Signing in and locking leave their time with the user; thumbnails need ImageMagick.
TRACES = ("last_login_on", "thumbnail_url")

Ask = Callable[[Target, str], httpx.Response]


def by_key(login: str) -> Ask:
    return lambda redmine, path: redmine.as_user(login, path)


def by_token(login: str, scope: str) -> Ask:
    return lambda redmine, path: redmine.with_scopes(login, scope, path)


CALLERS: dict[str, Ask] = {
    **{login: by_key(login) for login in ("admin", "alice", "bob", "carol", "dave")},
    "nobody": lambda redmine, path: redmine.get(path),
    "bob, projects only": by_token("bob", "view_project"),
    "bob, issues only": by_token("bob", "view_issues"),
    "bob, reading": by_token(
        "bob", "view_project search_project view_members view_issues view_time_entries"
    ),
    "carol, searching": by_token("carol", "search_project view_issues"),
    "bob, wiki": by_token("bob", "view_wiki_pages search_project"),
    "admin without admin": by_token("admin", "view_project search_project view_issues"),
}


def comparable(redmine: Target, reply: httpx.Response) -> tuple[Any, ...]:
    """Status, the headers that mean something, and the body without what depends on the server."""
    headers = [reply.headers.get(name) for name in ("Content-Type", "WWW-Authenticate")]
    if "html" in (headers[0] or ""):
        return reply.status_code, headers
    body = reply.json() if reply.text else None
    return reply.status_code, headers, normal(body, redmine.base_url)


def normal(value: Any, base_url: str) -> Any:
    match value:
        case dict():
            # The order of keys counts too: compared as pairs.
            return [
                (name, normal(one, base_url))
                for name, one in value.items()
                if name not in TRACES and not (name == "updated_on" and "login" in value)
            ]
        case list():
            return [normal(one, base_url) for one in value]
        case str():
            return value.replace(base_url, "<base>")
        case _:
            return value


@pytest.mark.parametrize("path", PATHS)
def test_same_answers(sandbox: Target, real: Target, path: str) -> None:
    """Status, headers and JSON are the same from both, whoever asks."""
    for caller, ask in CALLERS.items():
        expected = comparable(real, ask(real, path))
        assert expected == comparable(sandbox, ask(sandbox, path)), caller
