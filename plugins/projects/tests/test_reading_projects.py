"""list_projects and get_project, against the seed."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.testing import text_of, unmarked


async def rows(client: Any, tool: str, **arguments: Any) -> list[str]:
    """What stands between the marks of an answer."""
    return text_of(await client.call_tool(tool, arguments)).splitlines()[1:-2]


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    assert result.is_error, text_of(result)
    return unmarked(text_of(result))


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("alice", ["alpha: Alpha", "beta: Beta (in Alpha)", "gamma: Gamma (private) (private)"]),
        ("carol", ["alpha: Alpha", "beta: Beta (in Alpha)"]),
    ],
)
async def test_everybody_sees_their_own_projects(
    redmine: Any, login: str, expected: list[str]
) -> None:
    """One line each, subprojects under their parents, in one question; private ones for members."""
    async with redmine.client(login) as client:
        assert await rows(client, "list_projects") == expected
    assert len(redmine.way.seen) == 1


async def test_projects_are_found_by_part_of_their_name(redmine: Any) -> None:
    """In any case of letters; what fits nothing is said so."""
    async with redmine.client() as client:
        assert await rows(client, "list_projects", name="ET") == ["beta: Beta (in Alpha)"]
        nothing = await client.call_tool("list_projects", {"name": "nothing like it"})
    assert text_of(nothing) == "No such project."


async def test_a_page_past_the_end_says_so(redmine: Any) -> None:
    """The model learns that there are fewer, and how many."""
    async with redmine.client() as client:
        result = await client.call_tool("list_projects", {"page": 2})
    assert text_of(result) == "3 in all, but page 2 is past the last."


async def test_a_project_is_told_in_few_words(redmine: Any) -> None:
    """Members by role, versions with status, trackers, categories and description: three calls."""
    async with redmine.client() as client:
        result = await client.call_tool("get_project", {"project": "alpha"})

    text = text_of(result)
    lines = text.splitlines()
    assert lines[1] == "alpha: Alpha · public · since 2026-01-01 · http://alpha.example.net"
    assert "Trackers: Bug, Feature, Support" in lines
    assert "Categories: API, Docs, UI" in lines
    assert any(row.startswith("Versions: 1.0 (closed") for row in lines)
    assert "Manager: Alice Ace" in lines
    assert "Reporter: Carol Clark" in lines
    assert "The customer portal, open to everybody." in lines
    assert len(text.encode()) <= 600, f"a model reads {len(text.encode())} bytes"
    assert len(redmine.way.seen) == 4


async def test_a_group_is_told_as_one(redmine: Any) -> None:
    """Its people stand beside it, since they have the role as well."""
    async with redmine.client() as client:
        result = await client.call_tool("get_project", {"project": "beta", "include": ["members"]})
    assert "Reporter: Team Red (group), Bob Builder" in text_of(result)


async def test_only_what_was_asked_for_is_read(redmine: Any) -> None:
    """Modules, custom fields and activities come with the project: one question to Redmine."""
    include = ["modules", "custom_fields", "activities"]
    async with redmine.client() as client:
        arguments = {"project": "alpha", "include": include}
        result = await client.call_tool("get_project", arguments)

    data = result.structured_content
    assert {"issue_tracking", "wiki"} <= set(data["modules"])
    assert "Severity" in data["issue_custom_fields"]
    assert data["activities"] == ["Design", "Development"]
    assert not {"members", "versions", "trackers", "categories"} & set(data)
    assert len(redmine.way.seen) == 1


@pytest.mark.parametrize("wanted", ["gamma", "3", "Gamma (private)", "GAMMA"])
async def test_identifier_id_and_name_all_work(redmine: Any, wanted: str) -> None:
    """As far as a name fits one project only."""
    async with redmine.client("bob") as client:
        result = await client.call_tool("get_project", {"project": wanted, "include": []})
    assert result.structured_content["identifier"] == "gamma"


@pytest.mark.parametrize("wanted", ["gamma", "3", "nope", "../alpha", ""])
async def test_a_hidden_project_is_one_there_is_not(redmine: Any, wanted: str) -> None:
    """The answer names the projects that the caller sees, and tells nothing of the others."""
    async with redmine.client("carol") as client:
        sentence = await refusal(client, "get_project", project=wanted)
    assert f"There is no project “{wanted}” here. There are: Alpha, Beta." in sentence


async def test_what_may_not_be_seen_is_said(sign_in: Any) -> None:
    """Without the scope there is no list of versions, which is not the same as none."""
    async with sign_in("alice", "view_project") as client:
        result = await client.call_tool("get_project", {"project": "alpha"})
    assert result.structured_content["hidden"]
    assert "You may not see: " in text_of(result)


async def test_an_unknown_argument_is_refused(redmine: Any) -> None:
    """Redmine would ignore it and answer something else."""
    async with redmine.client() as client:
        assert "bad_arguments" in await refusal(client, "list_projects", owner="alice")
