"""The real Redmine must hold the seed, or comparing the sandbox with it proves nothing."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

URL = os.environ.get("REAL_REDMINE_URL", "")
SEED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "plugins/sandbox/redmine_mcp_sandbox/seed.json").read_text(
        encoding="utf-8"
    )
)
USERS: dict[str, dict[str, Any]] = {user["login"]: user for user in SEED["users"]}

pytestmark = [
    pytest.mark.real_redmine,
    pytest.mark.skipif(
        not URL, reason="REAL_REDMINE_URL is not set: tests/real_redmine/up.py prints it"
    ),
]


@pytest.fixture
def redmine() -> Iterator[httpx.Client]:
    with httpx.Client(base_url=URL, trust_env=False) as client:
        yield client


def get(client: httpx.Client, path: str, login: str = "admin", **params: Any) -> Any:
    """The JSON that this user reads."""
    headers = {"X-Redmine-API-Key": USERS[login]["api_key"]}
    return client.get(path, params=params, headers=headers).raise_for_status().json()


def rows(table: str, **wanted: Any) -> list[dict[str, Any]]:
    """The seed's rows that have these values."""
    return [row for row in SEED[table] if all(row[key] == wanted[key] for key in wanted)]


@pytest.mark.parametrize("login", USERS)
def test_api_key_signs_in(redmine: httpx.Client, login: str) -> None:
    """Each user of the seed signs in with the API key that the seed gives."""
    user = get(redmine, "/users/current.json", login)["user"]

    seeded = USERS[login]
    assert {key: seeded[key] for key in ("id", "login", "firstname", "created_on")} == {
        key: user[key] for key in ("id", "login", "firstname", "created_on")
    }


@pytest.mark.parametrize("login", USERS)
def test_password_signs_in(redmine: httpx.Client, login: str) -> None:
    """Each user of the seed signs in with the password that the seed gives."""
    answer = redmine.get("/my/account.json", auth=(login, USERS[login]["password"]))

    assert (200, login) == (answer.status_code, answer.json()["user"]["login"])


@pytest.mark.parametrize("project", SEED["projects"], ids=lambda project: project["identifier"])
def test_issues_per_project(redmine: httpx.Client, project: dict[str, Any]) -> None:
    """The administrator counts as many issues in each project as the seed has."""
    found = get(
        redmine, "/issues.json", project_id=project["id"], subproject_id="!*", status_id="*"
    )

    assert len(rows("issues", project_id=project["id"])) == found["total_count"]


def test_issue_one_has_the_columns(redmine: httpx.Client) -> None:
    """Issue 1 reads back column by column as the seed has it, times to the second."""
    issue = get(redmine, "/issues/1.json")["issue"]
    references = ("project", "tracker", "status", "priority", "author", "category")
    plain = ("subject", "description", "start_date", "due_date", "done_ratio", "is_private")
    times = ("estimated_hours", "created_on", "updated_on", "closed_on")

    (seeded,) = rows("issues", id=1)
    assert {name: seeded[f"{name}_id"] for name in references} == {
        name: issue[name]["id"] for name in references
    }
    assert {name: seeded[name] for name in plain + times} == {
        name: issue[name] for name in plain + times
    }
    assert seeded["custom_values"] == {
        str(field["id"]): field["value"] for field in issue["custom_fields"]
    }


def test_issue_one_has_its_belongings(redmine: httpx.Client) -> None:
    """Issue 1 reads back with the seed's children, relations, watchers and attachments."""
    include = "children,relations,watchers,attachments"
    issue = get(redmine, "/issues/1.json", include=include)["issue"]

    (seeded,) = rows("issues", id=1)
    relations = [r for r in SEED["issue_relations"] if 1 in (r["issue_from_id"], r["issue_to_id"])]
    assert [row["id"] for row in rows("issues", parent_id=1)] == [
        child["id"] for child in issue["children"]
    ]
    assert sorted(r["id"] for r in relations) == sorted(r["id"] for r in issue["relations"])
    assert sorted(seeded["watcher_ids"]) == sorted(user["id"] for user in issue["watchers"])
    assert [(row["id"], row["filename"]) for row in rows("attachments", issue_id=1)] == [
        (file["id"], file["filename"]) for file in issue["attachments"]
    ]


def test_issue_one_has_its_history(redmine: httpx.Client) -> None:
    """Issue 1 reads back with the seed's journals, private notes and details, and no others."""
    journals = get(redmine, "/issues/1.json", include="journals")["issue"]["journals"]

    plain = ("id", "notes", "private_notes", "created_on", "details")
    assert [{name: row[name] for name in plain} for row in rows("journals", issue_id=1)] == [
        {name: journal[name] for name in plain} for journal in journals
    ]


@pytest.mark.parametrize("row", SEED["attachments"], ids=lambda row: row["filename"])
def test_attachment_has_the_content(redmine: httpx.Client, row: dict[str, Any]) -> None:
    """Each attachment downloads, byte for byte, as what the seed holds."""
    attachment = get(redmine, f"/attachments/{row['id']}.json")["attachment"]
    key = {"X-Redmine-API-Key": USERS["admin"]["api_key"]}
    content = redmine.get(f"/attachments/download/{row['id']}", headers=key).content

    assert row["content_type"] == attachment["content_type"]
    assert base64.b64decode(row["content_base64"]) == content


def test_memberships(redmine: httpx.Client) -> None:
    """Each project has the seed's memberships, those that come from a group included."""
    found = [
        (membership["id"], (membership.get("user") or membership["group"])["id"])
        for project in SEED["projects"]
        for membership in get(redmine, f"/projects/{project['id']}/memberships.json")["memberships"]
    ]

    assert sorted((row["id"], row["principal_id"]) for row in SEED["memberships"]) == sorted(found)


def test_time_entries(redmine: httpx.Client) -> None:
    """Each issue has as many logged hours as the seed says."""
    found: Counter[int] = Counter()
    for entry in get(redmine, "/time_entries.json", limit=100)["time_entries"]:
        found[entry["issue"]["id"]] += entry["hours"]

    expected: Counter[int] = Counter()
    for row in SEED["time_entries"]:
        expected[row["issue_id"]] += row["hours"]
    assert expected == found


@pytest.mark.parametrize("row", SEED["oauth_applications"], ids=lambda row: row["name"])
def test_oauth_client_is_known(redmine: httpx.Client, row: dict[str, Any]) -> None:
    """Redmine knows each OAuth client's secret: it refuses the code, not the client."""
    form = {
        "grant_type": "authorization_code",
        "code": "no-such-code",
        "redirect_uri": row["redirect_uris"][0],
    }
    answer = redmine.post("/oauth/token", data=form, auth=(row["uid"], row["secret"]))
    stranger = redmine.post("/oauth/token", data=form, auth=(row["uid"], "wrong"))

    assert answer.json()["error"] == "invalid_grant"
    assert stranger.json()["error"] == "invalid_client"


@pytest.mark.parametrize("row", SEED["wiki_versions"], ids=lambda row: f"version {row['id']}")
def test_wiki_pages(redmine: httpx.Client, row: dict[str, Any]) -> None:
    """Each version of each wiki page reads back as the seed has it, in its project."""
    (page,) = rows("wiki_pages", id=row["page_id"])
    parents = [{"title": one["title"]} for one in rows("wiki_pages", id=page["parent_id"])]
    path = f"/projects/{page['project_id']}/wiki/{page['title']}"
    found = get(redmine, f"{path}/{row['version']}.json")["wiki_page"]
    newest = get(redmine, f"{path}.json")["wiki_page"]

    expected = {
        **{name: row[name] for name in ("version", "text", "comments", "updated_on")},
        **{name: page[name] for name in ("title", "created_on")},
    }
    assert expected == {name: found[name] for name in expected}
    assert row["author_id"] == found["author"]["id"]
    assert parents == ([found["parent"]] if "parent" in found else [])
    versions = rows("wiki_versions", page_id=row["page_id"])
    assert newest["updated_on"] == max(one["updated_on"] for one in versions)
