"""Which scopes a wiki takes, and what Redmine does with a version that is not the newest."""

from __future__ import annotations

from typing import Any

import pytest

from .target import Target

PAGE = "/projects/alpha/wiki/Handbook"
SEE, EDIT, DELETE = "view_wiki_pages", "edit_wiki_pages", "delete_wiki_pages"


def page(**fields: Any) -> dict[str, Any]:
    return {"wiki_page": fields}


@pytest.fixture
def wiki(fresh_redmine: Target) -> Target:
    """A Redmine with a page of two versions."""
    for text in ("one", "two"):
        fresh_redmine.send("alice", "PUT", f"{PAGE}.json", page(text=text)).raise_for_status()
    return fresh_redmine


@pytest.mark.parametrize(
    ("method", "path", "scope", "beside"),
    [
        ("GET", "/projects/alpha/wiki/index.json", SEE, EDIT),
        ("GET", f"{PAGE}.json", SEE, EDIT),
        ("GET", f"{PAGE}/1.json", f"{SEE} view_wiki_edits", SEE),
        ("GET", f"{PAGE}/1.json", f"{SEE} view_wiki_edits", "view_wiki_edits"),
        ("GET", "/projects/alpha/search.json?q=two&wiki_pages=1", "search_project", SEE),
        ("PUT", f"{PAGE}.json", EDIT, SEE),
        ("DELETE", f"{PAGE}.json", DELETE, f"{SEE} {EDIT}"),
    ],
)
def test_what_a_call_takes(wiki: Target, method: str, path: str, scope: str, beside: str) -> None:
    """With these scopes it is done, and with others it is refused."""
    body = page(text="three") if method == "PUT" else None

    refused = wiki.send_with_scopes("alice", beside, method, path, body)
    done = wiki.send_with_scopes("alice", scope, method, path, body)

    assert refused.status_code == 403
    assert done.is_success


@pytest.mark.parametrize(("scope", "title"), [("", "Handbook"), (" rename_wiki_pages", "Manual")])
def test_a_new_title_takes_a_scope_of_its_own(wiki: Target, scope: str, title: str) -> None:
    """Without it the title is dropped without a word."""
    body = page(text="two", title="Manual")

    done = wiki.send_with_scopes("alice", f"{EDIT}{scope}", "PUT", f"{PAGE}.json", body)
    pages = wiki.as_user("alice", "/projects/alpha/wiki/index.json").json()["wiki_pages"]

    assert done.status_code == 204
    ours = {"Handbook", "Manual"} & {one["title"] for one in pages}
    assert ours == {title}


@pytest.mark.parametrize(("version", "status"), [(1, 409), (2, 204), (3, 409), ("x", 409)])
def test_a_change_names_the_version_it_was_made_from(
    wiki: Target, version: Any, status: int
) -> None:
    """Only that to the newest is taken; without a version, any is."""
    body = page(text="three", version=version)

    assert wiki.send("bob", "PUT", f"{PAGE}.json", body).status_code == status
    assert wiki.send("bob", "PUT", f"{PAGE}.json", page(text="four")).status_code == 204
