"""Wiki pages listed, searched and read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redmine_mcp_wiki.reading import TEXT_CHARACTERS

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing import text_of
from redmine_mcp_core.testing.fixtures import Target

API = "/projects/alpha/wiki"
Told = Callable[..., Awaitable[str]]


async def test_pages_are_listed_as_a_tree(written: Target, told: Told) -> None:
    """Each under the one above it, with version and day, in few bytes."""
    async with written.client("carol") as client:
        rows = (await told(client, "list_wiki_pages")).splitlines()

    shown = [row[:-11] for row in rows if not row.startswith("1-")]
    assert shown[1:] == ["Backups v1", "Wiki v1", "  Setup v2", "    Names v1"]
    assert rows[-1] == "1-4 of 4"


async def test_the_newest_change_first(written: Target) -> None:
    """Flat, so that what changed last is seen at once."""
    async with written.http() as http:
        page = {"wiki_page": {"text": "changed last"}}
        (await http.put(f"{API}/Backups.json", json=page)).raise_for_status()
    async with written.client() as client:
        answer = await client.call_tool(
            "list_wiki_pages", {"project": "Alpha", "newest_first": True}
        )

    pages: Any = (answer.structured_content or {})["pages"]
    days = [page["updated_on"] for page in pages]
    assert days == sorted(days, reverse=True)
    assert len(days) == 4
    assert not any("depth" in page for page in pages)


async def test_an_empty_wiki_and_one_beyond_the_last_page(redmine: Target, told: Told) -> None:
    """Each is a sentence."""
    async with redmine.client() as client:
        listed = await told(client, "list_wiki_pages", project="beta")
        assert listed == "This wiki has no pages yet."
        assert "no pages yet" in await told(client, "get_wiki_page", project="beta")


async def test_a_long_list_has_an_end(sandbox: Any, plugin: Plugin, told: Told) -> None:
    """A hundred, how many there are, and how to go on."""
    target = Target(plugin, sandbox)
    async with target.http() as http:
        for number in range(117):  # beside the three of the seed
            page = {"wiki_page": {"text": "x"}}
            await http.put(f"{API}/P{number:03}.json", json=page)
    async with target.client() as client:
        first = await told(client, "list_wiki_pages")
        last = await told(client, "list_wiki_pages", page=2)
        beyond = await told(client, "list_wiki_pages", page=3)

    assert first.endswith("1-100 of 120; next: page=2")
    assert last.endswith("101-120 of 120")
    assert beyond == "120 in all, but page 3 is past the last."


async def test_the_start_page_is_read_without_a_title(written: Target, told: Told) -> None:
    """Title, version, author, comment and text, with plain ends of line."""
    async with written.client("carol") as client:
        text = await told(client, "get_wiki_page")

    assert text.startswith("Wiki · version 1, ")
    assert "by Alice Ace: first" in text
    assert text.endswith("Welcome to the handbook.\n\nSee [[Setup]].")


@pytest.mark.parametrize("title", ["setup", "SETUP", " Setup "])
async def test_a_title_is_found_in_any_case(written: Target, told: Told, title: str) -> None:
    """As Redmine finds it."""
    async with written.client() as client:
        text = await told(client, "get_wiki_page", title=title)

    assert "Setup · version 2" in text
    assert "Under: Wiki" in text


async def test_a_wrong_title_is_answered_with_the_right_ones(written: Target, told: Told) -> None:
    """Those that are like it come first."""
    async with written.client() as client:
        text = await told(client, "get_wiki_page", title="Backup")
        inside = await told(client, "get_wiki_page", title="Setup", section="Nope")

    assert "Backup is no page here. There are: Backups, " in text
    assert "1 Setup; 2 Install; 3 Configure; 4 Names; 5 Run" in inside


async def test_an_older_version(written: Target, told: Told) -> None:
    """It reads as it was; one that never was is answered with the newest."""
    async with written.client() as client:
        old = await told(client, "get_wiki_page", title="Setup", version=1)
        missing = await told(client, "get_wiki_page", title="Setup", version=9)
        start = await told(client, "get_wiki_page", version=1)

    assert old.endswith("draft")
    assert "no version 9; its newest is 2" in missing
    assert "Welcome" in start


async def test_one_section_by_its_heading(written: Target, told: Told) -> None:
    """With what is below it, up to the next heading of its level; in either markup."""
    async with written.client() as client:
        common = await told(client, "get_wiki_page", title="Setup", section="configure")
        textile = await told(client, "get_wiki_page", title="Backups", section="Restore")

    assert common.partition("\n\n")[2] == "## Configure\n\nSet `name`.\n\n### Names\n\nAny."
    assert textile.partition("\n\n")[2] == "h2. Restore\n\n# stop\n# copy"


async def test_a_long_page_is_read_in_parts(written: Target, told: Told) -> None:
    """Nothing is lost between them, and a block of code that is cut is code in both."""
    long = "# One\n\n```\n" + "some code here\n" * 800 + "```\n\n# Two\n\nthe end"
    async with written.http() as http:
        (await http.put(f"{API}/Long.json", json={"wiki_page": {"text": long}})).raise_for_status()
    parts: list[str] = []
    async with written.client() as client:
        start: int | None = 0
        while start is not None:
            arguments = {"project": "alpha", "title": "Long", "start": start}
            answer = await client.call_tool("get_wiki_page", arguments)
            data: Any = answer.structured_content
            start = data.get("next_start")
            parts.append(data["body"])
            if start:
                assert f"start={start}" in text_of(answer)
                assert "Headings that follow: Two" in text_of(answer)
        beyond = await told(client, "get_wiki_page", title="Long", start=99_999)

    assert len(parts) == 3
    assert all(len(part) < TEXT_CHARACTERS + 20 for part in parts)
    assert all(part.count("```") == 2 for part in parts)
    assert sum(part.count("some code here") for part in parts) >= 798
    assert parts[-1].endswith("the end")
    assert "beyond the end" in beyond


async def test_attachments_are_named(written: Target, told: Told) -> None:
    """With size and id."""
    async with written.http() as http:
        headers = {"Content-Type": "application/octet-stream"}
        answer = await http.post("/uploads.json?filename=a.txt", content=b"12345", headers=headers)
        token = answer.json()["upload"]["token"]
        page = {"text": "with a file", "uploads": [{"token": token}]}
        (await http.put(f"{API}/Wiki.json", json={"wiki_page": page})).raise_for_status()
    async with written.client("carol") as client:
        assert "Files: a.txt (5 B, id " in await told(client, "get_wiki_page")


async def test_a_renamed_page_is_not_found_under_its_former_title(
    written: Target, told: Told
) -> None:
    """Redmine answers with another address, which the API does not follow."""
    async with written.http() as http:
        page = {"wiki_page": {"text": "x", "title": "Saves"}}
        (await http.put(f"{API}/Backups.json", json=page)).raise_for_status()
    async with written.client() as client:
        read = await told(client, "get_wiki_page", title="Backups")
        saved = await told(client, "save_wiki_page", title="Backups", text="y", expected_version=1)

    for text in (read, saved):
        assert "Backups was renamed or moved. There are: " in text
        assert "Saves" in text


async def test_words_are_found_in_titles_and_texts(written: Target, told: Told) -> None:
    """With the passage; what Redmine does not search for is said."""
    async with written.client("carol") as client:
        text = await told(client, "search_wiki", query="explained nightly", any_word=True)
        both = await told(client, "search_wiki", query="nightly restore a")
        titles = await told(client, "search_wiki", query="setup", titles_only=True)
        nothing = await told(client, "search_wiki", query="zebra")
        short = await told(client, "search_wiki", query="a b")

    assert text.startswith("Backups: h1. Backups Nightly.")
    assert both.endswith("Redmine takes 5 words, of two letters or more each.")
    assert "Not searched for: “a”" in both
    assert "1-1 of 1" in both
    assert titles.splitlines()[0].startswith("Setup: # Setup Read this first.")
    assert titles.splitlines()[-1] == "1-1 of 1"
    assert nothing == "Nothing found."
    assert "two letters" in short


@pytest.mark.parametrize("tool", ["list_wiki_pages", "get_wiki_page", "search_wiki"])
async def test_a_project_without_a_wiki(written: Target, told: Told, tool: str) -> None:
    """One sentence for a module that is off; a hidden project does not exist."""
    modules = ["issue_tracking", "news"]
    if written.sandbox:
        projects = written.sandbox._world.projects
        projects.put(replace(projects[1], enabled_modules=modules))
    else:
        async with written.http("admin") as http:
            project = {"project": {"enabled_module_names": modules}}
            (await http.put("/projects/alpha.json", json=project)).raise_for_status()
    query = {"query": "login"} if tool == "search_wiki" else {}
    async with written.client("carol") as client:
        text = await told(client, tool, **query)
        hidden = await told(client, tool, project="gamma", **query)

    assert "This project has no wiki, or you may not see it. [forbidden]" in text
    assert "There is no project “gamma” here" in hidden


async def test_the_pages_of_a_private_project(redmine: Target, told: Told) -> None:
    """Its members read them; to anybody else neither titles nor words of them are told."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_wiki_page", {"project": "gamma", "title": "Plans"}),
        ("get_wiki_page", {"project": "3", "title": "Plans", "version": 1}),
        ("search_wiki", {"project": "gamma", "query": "nightingale"}),
    ]
    async with redmine.client("bob") as bob, redmine.client("carol") as carol:
        for tool, arguments in calls:
            assert "Nobody outside the team" in await told(bob, tool, **arguments)
            refused = await told(carol, tool, **arguments)
            assert "There is no project" in refused
            assert "outside" not in refused
        assert await told(carol, "search_wiki", query="nightingale") == "Nothing found."
        assert "Plans" not in await told(carol, "list_wiki_pages", project="gamma")


async def test_old_versions_take_a_scope_of_their_own(written: Target, told: Told) -> None:
    """Redmine refuses it to an OAuth token; what is said names the permission."""
    if written.sandbox is None:
        pytest.skip("an API key has no scopes")
    scopes = ["view_project", "view_wiki_pages"]
    async with written.client("alice", scopes=scopes) as client:
        text = await told(client, "get_wiki_page", title="Setup", version=1)

    assert "view_wiki_edits" in text
