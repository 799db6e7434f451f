"""Keeping to some projects: what reaches Redmine, and what of its answers comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.redmine import (
    Credential,
    Forbidden,
    Gateway,
    NotFound,
    OnlyProjects,
    Redmine,
)
from tests.support.servers import Target


@asynccontextmanager
async def keeping_to(target: Target, *projects: str) -> AsyncIterator[Redmine]:
    """Redmine as alice, who may see more."""
    key = Credential.api_key(Sandbox().api_key("alice"))
    async with Gateway(target.url) as gateway:
        yield Redmine(gateway, key, projects=OnlyProjects(projects))


@asynccontextmanager
async def everywhere(target: Target) -> AsyncIterator[Redmine]:
    async with Gateway(target.url) as gateway:
        yield Redmine(gateway, Credential.api_key(Sandbox().api_key("alice")))


async def elsewhere(target: Target, project: str) -> int:
    """An issue that alice may see in another project."""
    async with everywhere(target) as redmine:
        issues = await redmine.all("/issues.json", "issues", status_id="*")
        here = (await redmine.get(f"/projects/{project}.json"))["project"]["id"]
    return int(next(issue["id"] for issue in issues if issue["project"]["id"] != here))


async def test_lists_hold_nothing_else(redmine: Target) -> None:
    """Issues, hours and projects of the others are not there, and are not counted."""
    async with keeping_to(redmine, "alpha") as alpha, everywhere(redmine) as all_of_it:
        issues = await alpha.get("/issues.json", status_id="*", limit=100)
        hours = await alpha.get("/time_entries.json", limit=100)
        projects = await alpha.get("/projects.json")
        more = await all_of_it.get("/issues.json", status_id="*", limit=100)

    assert {item["project"]["name"] for item in issues["issues"]} == {"Alpha"}
    assert {item["project"]["name"] for item in hours["time_entries"]} <= {"Alpha"}
    assert [item["identifier"] for item in projects["projects"]] == ["alpha"]
    assert issues["total_count"] == len(issues["issues"]) < more["total_count"]


async def test_several_projects_are_listed_together(redmine: Target) -> None:
    """Redmine says 404 to two in its short form; the answer holds both, and counts them."""
    async with keeping_to(redmine, "alpha", "gamma") as both:
        issues = await both.get("/issues.json", status_id="*", limit=100)
        hours = await both.get("/time_entries.json", user_id="me")
        open_ones = await both.get("/issues.json", limit=100)

    assert {item["project"]["id"] for item in issues["issues"]} == {1, 3}
    assert issues["total_count"] == len(issues["issues"])
    assert {item["project"]["id"] for item in hours["time_entries"]} == {1}
    assert 0 < open_ones["total_count"] < issues["total_count"]


@pytest.mark.parametrize("path", ["/projects/alpha/issues.json", "/projects/1/issues.json"])
async def test_a_subproject_is_another_project(redmine: Target, path: str) -> None:
    """Redmine lists subprojects with a project: here those alone that were named, too."""
    asked: dict[str, object] = {"subproject_id": "*", "status_id": "*", "limit": 100}
    async with (
        keeping_to(redmine, "alpha") as alpha,
        keeping_to(redmine, "alpha", "beta", "gamma") as more,
    ):
        alone = await alpha.get(path, **asked)
        hours = await alpha.get("/projects/alpha/time_entries.json")
        found = await alpha.get("/projects/alpha/search.json", q="app", scope="subprojects")
        with_beta = await more.get(path, **asked)
        without = await more.get(path, **{**asked, "subproject_id": "!*"})

    assert {item["project"]["id"] for item in alone["issues"]} == {1}
    assert alone["total_count"] == len(alone["issues"]) == without["total_count"]
    assert {item["project"]["id"] for item in hours["time_entries"]} == {1}
    assert not [item for item in found["results"] if "#35" in item["title"]]
    assert {item["project"]["id"] for item in with_beta["issues"]} == {1, 2}


async def test_what_lies_elsewhere_does_not_exist(redmine: Target) -> None:
    """Neither to be read nor to be changed, and it is answered like a thing there is not."""
    strange = await elsewhere(redmine, "alpha")
    async with keeping_to(redmine, "alpha") as alpha:
        assert (await alpha.get("/issues/1.json"))["issue"]["project"]["name"] == "Alpha"
        for refused in (
            alpha.get(f"/issues/{strange}.json"),
            alpha.put(f"/issues/{strange}.json", {"issue": {"notes": "hello"}}),
            alpha.delete(f"/issues/{strange}.json"),
            alpha.post(f"/issues/{strange}/watchers.json", {"user_id": 5}),
            alpha.get("/projects/beta.json"),
            alpha.get("/issues.json", project_id="beta"),
            alpha.get("/issues.json", project_id="1|beta"),
            alpha.post("/issues.json", {"issue": {"project_id": "beta", "subject": "x"}}),
            alpha.post("/time_entries.json", {"time_entry": {"issue_id": strange, "hours": 1}}),
            alpha.post("/projects/alpha/issues.json", {"issue": {"project_id": 2, "subject": "x"}}),
            alpha.post("/projects/alpha/time_entries.json", {"time_entry": {"issue_id": strange}}),
            alpha.get("/time_entries/8.json"),
            alpha.put("/time_entries/1.json", {"time_entry": {"issue_id": strange}}),
            alpha.put("/time_entries/1.json", {"time_entry": {"project_id": 2}}),
            alpha.delete("/time_entries/8.json"),
            alpha.put("/issues/1.json", {"issue": {"project_id": "beta"}}),
            alpha.put("/issues/1.json", {"issue": {"parent_issue_id": strange}}),
            alpha.post("/issues/1/relations.json", {"relation": {"issue_to_id": strange}}),
        ):
            with pytest.raises(NotFound):
                await refused


async def test_what_cannot_be_told_is_refused(redmine: Target) -> None:
    """A request that does not say where it leads does not leave."""
    async with keeping_to(redmine, "alpha", "beta") as both:
        for refused in (
            both.get("/search.json", q="login"),
            both.get("/issues.json", query_id=1),
            both.get("/news.json"),
            both.post("/projects.json", {"project": {"name": "x", "identifier": "x"}}),
            both.put("/journals/1.json", {"journal": {"notes": "x"}}),
            both.delete("/attachments/1.json"),
            both.download("/attachments/download/1", limit=100),
            both.get("/queries.json"),
        ):
            with pytest.raises(Forbidden):
                await refused


async def test_what_hangs_on_an_issue_is_reached_through_it(redmine: Target) -> None:
    """After its issue was read, a file of it can be fetched; and subtasks are not told."""
    async with keeping_to(redmine, "alpha") as alpha:
        with pytest.raises(Forbidden, match="Read the issue first"):
            await alpha.download("/attachments/download/1", limit=1000)
        issue = (await alpha.get("/issues/1.json", include="attachments,children"))["issue"]
        number = issue["attachments"][0]["id"]

        assert await alpha.download(f"/attachments/download/{number}", limit=100_000)
        assert "children" not in issue


async def test_a_search_in_a_project(redmine: Target) -> None:
    """Within a project Redmine searches as ever."""
    async with keeping_to(redmine, "alpha") as alpha:
        found = await alpha.get("/projects/alpha/search.json", q="login")

    assert found["results"]


async def test_a_project_that_the_caller_may_not_see_stays_hidden(redmine: Target) -> None:
    """The operator's choice gives nobody anything."""
    async with keeping_to(redmine, "no-such-project") as nothing:
        with pytest.raises(NotFound):
            await nothing.get("/issues.json")
        with pytest.raises(NotFound):
            await nothing.get("/issues/1.json")


async def test_a_wiki_page_stays_where_it_is(redmine: Target) -> None:
    """It is written in these projects alone, and under the title that it has."""
    wiki, text = "/projects/1/wiki", {"wiki_page": {"text": "x"}}
    async with keeping_to(redmine, "alpha") as alpha, everywhere(redmine) as all_of_it:
        await alpha.put(f"{wiki}/Fenced.json", text)
        try:
            assert (await alpha.get(f"{wiki}/Fenced.json"))["wiki_page"]["text"] == "x"
            for refused in (
                alpha.get("/projects/beta/wiki/index.json"),
                alpha.put("/projects/beta/wiki/Fenced.json", text),
                alpha.delete("/projects/2/wiki/Fenced.json"),
            ):
                with pytest.raises(NotFound):
                    await refused
            with pytest.raises(Forbidden, match="stay in their project"):
                await alpha.put(f"{wiki}/Fenced.json", {"wiki_page": {"text": "x", "wiki_id": 2}})
            renamed = {"wiki_page": {"text": "x", "title": "Fenced in"}}
            await all_of_it.put(f"{wiki}/Fenced.json", renamed)
            with pytest.raises(Forbidden, match="use the title that it has"):
                await alpha.put(f"{wiki}/Fenced.json", text)
        finally:
            await all_of_it.delete(f"{wiki}/Fenced_in.json")
