"""Wiki pages created, changed, moved and renamed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redmine_mcp_wiki import pages

from redmine_mcp_core.testing.fixtures import Target

API = "/projects/alpha/wiki"
Told = Callable[..., Awaitable[str]]


async def text_now(target: Target, title: str) -> str:
    async with target.http() as http:
        answer = await http.get(f"{API}/{title}.json")
    return str(answer.json()["wiki_page"]["text"])


async def test_a_page_is_created(written: Target, told: Told) -> None:
    """Under another one, with a comment; the title as Redmine makes it."""
    async with written.client("bob") as client:
        text = await told(
            client,
            "save_wiki_page",
            title="release notes: 1.0",
            text="Ünder *way*",
            parent="setup",
            comment="new",
        )

    assert text.startswith("Page created, version 1.\nRelease_notes_10\nUnder: Setup\n")
    assert "dropped" not in text
    assert await text_now(written, "Release_notes_10") == "Ünder *way*"


async def test_a_passage_is_replaced(written: Target, told: Told) -> None:
    """Once; what is there twice or never is refused, and nothing is written."""
    async with written.client() as client:
        text = await told(
            client,
            "save_wiki_page",
            title="Wiki",
            replace=[{"find": "handbook.\n\nSee", "with": "manual.\n\nRead"}],
            comment="shorter",
        )
        never = await told(
            client, "save_wiki_page", title="Wiki", replace=[{"find": "zebra", "with": "x"}]
        )

    assert text.startswith("Page changed, version 1 -> 2; lines: 2 new, 2 gone.\nWiki\n")
    assert "dropped" not in text
    assert "the page has that passage 0 times" in never
    assert await text_now(written, "Wiki") == "Welcome to the manual.\n\nRead [[Setup]]."


async def test_a_section_takes_another_text(written: Target, told: Told) -> None:
    """Its heading stays where none is given, and all around it stays as it was."""
    setup = await text_now(written, "Setup")
    async with written.client() as client:
        text = await told(client, "save_wiki_page", title="Setup", section="install", text="Easy.")
        await told(
            client, "save_wiki_page", title="Setup", section="Run", text="## Start\n\nmake run"
        )
        edit = [{"find": "Any", "with": "None"}]
        await told(client, "save_wiki_page", title="Setup", section="Names", replace=edit)
        beyond = await told(client, "save_wiki_page", title="Setup", section="Start", replace=edit)

    assert text.startswith("Page changed, version 2 -> 3")
    assert "the section has that passage 0 times" in beyond
    before, _, rest = setup.partition("```sh")
    after = rest.partition("```\n")[2].replace("## Run\n", "## Start\n\nmake run\n")
    assert await text_now(written, "Setup") == f"{before}Easy.\n{after.replace('Any', 'None')}"


async def test_a_list_in_textile_takes_no_headings_place(written: Target, told: Told) -> None:
    """What is a heading in CommonMark is a numbered list there."""
    async with written.client() as client:
        text = "# open the safe\n# take the tape"
        await told(client, "save_wiki_page", title="Backups", section="Restore", text=text)

    now = await text_now(written, "Backups")
    assert now.rstrip() == f"h1. Backups\n\nNightly.\n\nh2. Restore\n\n{text}"


async def test_a_whole_text_needs_the_version_it_was_made_from(written: Target, told: Told) -> None:
    """So nobody writes over what they have not read."""
    async with written.client() as client:
        blind = await told(client, "save_wiki_page", title="Setup", text="mine")
        stale = await told(client, "save_wiki_page", title="Setup", text="mine", expected_version=1)
        sure = await told(client, "save_wiki_page", title="Setup", text="mine", expected_version=2)

    assert "This page exists, at version 2." in blind
    assert "version 2 by now, not 1" in stale
    assert "[conflict]" in stale
    assert sure.startswith("Page changed, version 2 -> 3")


async def test_what_is_written_in_between_is_kept(
    written: Target, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our reading and our writing, too: Redmine refuses the older version."""
    read = pages.page_or_none

    async def read_and_lose(*arguments: Any) -> Any:
        page = await read(*arguments)
        async with written.http("bob") as http:
            theirs = {"wiki_page": {"text": "bob was faster"}}
            (await http.put(f"{API}/Wiki.json", json=theirs)).raise_for_status()
        return page

    monkeypatch.setattr("redmine_mcp_wiki.saving.page_or_none", read_and_lose)
    async with written.client() as client:
        edit = [{"find": "Welcome", "with": "Hello"}]
        text = await told(client, "save_wiki_page", title="Wiki", replace=edit)

    assert "Somebody has changed this page just now" in text
    assert await text_now(written, "Wiki") == "bob was faster"


async def test_a_page_is_moved_and_renamed(written: Target, told: Told) -> None:
    """Without a new version of its text."""
    async with written.client() as client:
        moved = await told(client, "save_wiki_page", title="Names", parent="Backups")
        top = await told(client, "save_wiki_page", title="names", parent="")
        renamed = await told(client, "save_wiki_page", title="Names", new_title="all names")

    assert moved.startswith("Page changed.\nNames\nUnder: Setup -> Backups\n")
    assert "Under: Backups -> none" in top
    assert renamed.startswith("Page changed.\nNames -> All_names\n")
    assert not any("dropped" in text for text in (moved, top, renamed))


async def test_what_redmine_drops_is_said(written: Target, told: Told) -> None:
    """Bob may write, but not rename or move; a comment stays with a new text alone."""
    async with written.client("bob") as client:
        text = await told(
            client,
            "save_wiki_page",
            title="Names",
            parent="Wiki",
            new_title="Other",
            comment="only words",
        )

    assert text.startswith("Page unchanged.\nNames\n")
    for dropped in ("parent (", "new_title (", "comment (Redmine keeps one only with a new text)"):
        assert dropped in text


async def test_a_dry_run_shows_the_difference(written: Target, told: Told) -> None:
    """And writes nothing."""
    async with written.client() as client:
        edit = [{"find": "handbook", "with": "manual"}]
        text = await told(client, "save_wiki_page", title="Wiki", replace=edit, dry_run=True)

    assert text.startswith("Dry run, nothing was written; lines: 1 new, 1 gone.")
    assert "-Welcome to the handbook.\n+Welcome to the manual." in text
    assert "handbook" in await text_now(written, "Wiki")


async def test_a_dry_run_of_a_move(written: Target, told: Told) -> None:
    """It tells where the page would stand, and refuses what Redmine would refuse."""
    async with written.client() as client:
        move = {"title": "Names", "dry_run": True}
        moved = await told(client, "save_wiki_page", **move, parent="backups", new_title="x y")
        top = await told(client, "save_wiki_page", **move, parent="")
        missing = await told(client, "save_wiki_page", **move, parent="Nope")
        taken = await told(client, "save_wiki_page", **move, new_title="Wiki")
        above = await told(client, "save_wiki_page", title="Wiki", parent="Names", dry_run=True)

    assert "Names -> X_y\nUnder: Setup -> Backups\n" in moved
    assert "Under: Setup -> none\n" in top
    for refused in (missing, taken, above):
        assert "Redmine refuses this without saying why" in refused
    assert await text_now(written, "Names") == "All of them"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"title": "New", "text": "x", "parent": "Nope"}, "the parent does not exist"),
        ({"title": "Wiki", "parent": "Names"}, "is this page or below it"),
        ({"title": "Wiki", "new_title": "Setup"}, "the title is taken"),
        ({"title": "New", "replace": [{"find": "a", "with": "b"}]}, "New is no page here"),
        ({"title": "New"}, "A new page needs a text"),
        ({"title": "Wiki"}, "Nothing to change was given"),
        ({"title": "Wiki", "text": " ", "expected_version": 1}, "use delete_wiki_page"),
        ({"title": "../..", "text": "x"}, "needs a letter or a digit"),
        ({"title": "Wiki", "text": "x", "replace": [{"find": "a", "with": "b"}]}, "Give either"),
        ({"title": "x" * 256, "text": "x"}, "more than 255 characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_written(
    written: Target, told: Told, arguments: dict[str, Any], said: str
) -> None:
    """A sentence says why, where Redmine says nothing."""
    async with written.client() as client:
        assert said in await told(client, "save_wiki_page", **arguments)


async def test_who_may_not_write(written: Target, told: Told) -> None:
    """By role, by a protected page, by scope and in read-only mode."""
    async with written.client("carol") as client:
        assert "You may not write this page" in await told(
            client, "save_wiki_page", title="New", text="x"
        )
    async with written.client("bob") as client:
        assert "it is protected" in await told(client, "save_wiki_page", title="Sidebar", text="x")
    async with written.client("alice", scopes=["view_project", "view_wiki_pages"]) as client:
        assert "edit_wiki_pages" in await told(client, "save_wiki_page", title="New", text="x")
