"""Wiki pages deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from redmine_mcp_sandbox import Sandbox
from redmine_mcp_wiki import plugin as wiki

from redmine_mcp_core.testing.fixtures import Target

API = "/projects/alpha/wiki"
Told = Callable[..., Awaitable[str]]


async def titles(target: Target) -> dict[str, str]:
    """Title to parent."""
    async with target.http() as http:
        pages = (await http.get(f"{API}/index.json")).json()["wiki_pages"]
    return {page["title"]: page.get("parent", {}).get("title", "") for page in pages}


async def test_the_person_is_asked_first(written: Target, told: Told) -> None:
    """The question names the page, and what becomes of those below it."""
    async with written.client() as client:
        kept = await told(client, "delete_wiki_page", title="wiki")
        gone = await told(client, "delete_wiki_page", title="wiki", children="delete")
        alone = await told(client, "delete_wiki_page", title="Backups")

    assert "Pages below it that stay: 2; its own children have no page above them then." in kept
    assert "Wiki of Alpha, version 1\nbelow it: Setup\nbelow it: Names" in kept
    assert "Pages below it that go too: 2." in gone
    assert "No page is below it." in alone
    assert len(await titles(written)) == 4


async def test_those_below_stay(written: Target, told: Told) -> None:
    """Its own children come to the top, with what is below them."""
    async with written.client() as client:
        text = await told(client, "delete_wiki_page", title="Wiki", confirm=True)

    assert text.startswith("Page deleted.\nWiki\nBelow it: Setup, Names\n")
    assert await titles(written) == {"Backups": "", "Setup": "", "Names": "Setup"}


async def test_those_below_go_too(written: Target, told: Told) -> None:
    """If that is wanted."""
    async with written.client("bob") as client:
        text = await told(client, "delete_wiki_page", title="Wiki", children="delete", confirm=True)

    assert "Pages below it that went too: 2." in text
    assert await titles(written) == {"Backups": ""}


async def test_what_cannot_be_deleted(written: Target, told: Told) -> None:
    """A page that is not there, one that is protected, and any without the permission."""
    async with written.http() as http:
        page = {"wiki_page": {"text": "x"}}
        (await http.put(f"{API}/Sidebar.json", json=page)).raise_for_status()
    async with written.client("bob") as client:
        missing = await told(client, "delete_wiki_page", title="Nope", confirm=True)
        protected = await told(client, "delete_wiki_page", title="Sidebar", confirm=True)
    async with written.client("carol") as client:
        forbidden = await told(client, "delete_wiki_page", title="Wiki", confirm=True)

    assert "Nope is no page here. There are: " in missing
    assert "it is protected" in protected
    assert "You may not delete this page" in forbidden


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("agrees", [True, False])
async def test_only_a_yes_deletes(sandbox: Sandbox, told: Told, mode: Any, agrees: bool) -> None:
    """Whatever the model says, where the client can ask."""
    target = Target(wiki, sandbox)

    async def answer(*_: Any) -> Any:
        if not agrees:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"confirm": True, "value": True})

    seeded = await titles(target)
    await add(target, "A")
    async with (
        target.client() as alice,
        Client(alice.transport, elicitation_handler=answer, mode=mode) as client,
    ):
        said = await told(client, "delete_wiki_page", title="A", confirm=True)

    assert said.startswith("Page deleted." if agrees else "The person did not agree")
    assert await titles(target) == (seeded if agrees else {**seeded, "A": ""})


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_page_that_comes_below_it_meanwhile(
    sandbox: Sandbox, told: Told, mode: Any
) -> None:
    """The person agreed to something else: they are asked anew, or nothing is done."""
    target, seen = Target(wiki, sandbox), list[str]()

    async def answer(message: str, *_: Any) -> Any:
        seen.append(message)
        if len(seen) == 1:
            await add(target, "Late", parent_title="A")
            return ElicitResult(action="accept", content={"confirm": True, "value": True})
        return ElicitResult(action="decline")

    seeded = await titles(target)
    await add(target, "A")
    async with (
        target.client() as alice,
        Client(alice.transport, elicitation_handler=answer, mode=mode) as client,
    ):
        said = await told(client, "delete_wiki_page", title="A", children="delete")

    assert "No page is below it." in seen[0]
    assert "Pages below it that go too: 1." in seen[-1] or "changed since the question" in said
    assert await titles(target) == {**seeded, "A": "", "Late": "A"}


async def add(target: Target, title: str, **fields: str) -> None:
    async with target.http("bob") as http:
        page = {"wiki_page": {"text": "x", **fields}}
        (await http.put(f"{API}/{title}.json", json=page)).raise_for_status()
