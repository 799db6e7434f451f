"""Creating, changing and ending projects."""

from __future__ import annotations

from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.client import ConnectMode
from mcp_types import ElicitResult

from redmine_mcp_core.testing import text_of, unmarked


async def told(client: Any, tool: str, **arguments: Any) -> Any:
    """What a write did."""
    return (await client.call_tool(tool, arguments)).structured_content


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    assert result.is_error, text_of(result)
    return unmarked(text_of(result))


async def project(client: Any, identifier: str) -> Any:
    arguments = {"project": identifier, "include": ["trackers", "modules"]}
    return (await client.call_tool("get_project", arguments)).structured_content


async def test_a_subproject_is_created_by_names(written: Any) -> None:
    """Parent and trackers by name; at once it can be found by its own name."""
    async with written.client("admin") as client:
        await client.call_tool("get_project", {"project": "Alpha", "include": []})
        result = await client.call_tool(
            "create_project",
            {
                "name": "Delta One",
                "identifier": "delta",
                "parent": "Alpha",
                "trackers": ["bug"],
                "modules": ["Issue tracking", "wiki"],
                "is_public": False,
            },
        )
        made = await project(client, "Delta One")

    assert text_of(result).splitlines()[0] == "Project created."
    assert "not_taken" not in result.structured_content
    assert (made["parent"], made["trackers"], made["modules"]) == (
        "Alpha",
        ["Bug"],
        ["issue_tracking", "wiki"],
    )
    assert made["is_public"] is False


async def test_a_refused_value_is_named(written: Any) -> None:
    """Redmine's own words, one for each field."""
    async with written.client("admin") as client:
        sentence = await refusal(client, "create_project", name="Again", identifier="alpha")
    assert "Identifier has already been taken" in sentence


async def test_a_change_tells_before_and_after(written: Any) -> None:
    """Only what differs, in one answer that reads like a diff."""
    async with written.client("alice") as client:
        result = await client.call_tool(
            "update_project",
            {"project": "alpha", "description": "Short.", "trackers": ["Bug", "Support"]},
        )

    assert result.structured_content["changed"] == {
        "description": {"before": "The customer portal, open to everybody.", "after": "Short."},
        "trackers": {"before": "Bug, Feature, Support", "after": "Bug, Support"},
    }
    assert "trackers: Bug, Feature, Support -> Bug, Support" in text_of(result)


async def test_what_is_so_already_changes_nothing(written: Any) -> None:
    """The answer says so instead of "changed"."""
    async with written.client("alice") as client:
        result = await client.call_tool("update_project", {"project": "alpha", "name": "Alpha"})
    assert text_of(result).startswith("Project unchanged.")


async def test_a_module_there_is_not_is_refused(written: Any) -> None:
    """Redmine would store the word and show it as a module."""
    async with written.client("alice") as client:
        sentence = await refusal(client, "update_project", project="alpha", modules=["wikki"])
    assert "There is no module “wikki”" in sentence
    assert not [asked for asked in written.way.seen if asked.method == "PUT"]


async def test_what_a_project_hides_has_not_changed(written: Any) -> None:
    """Without issue tracking Redmine shows no trackers, and keeps them all the same."""
    async with written.client("alice") as client:
        result = await told(
            client, "update_project", project="alpha", modules=["wiki"], trackers=["Bug"]
        )
    assert set(result["changed"]) == {"enabled_modules"}
    assert "not_taken" not in result


async def test_defaults_by_name(written: Any) -> None:
    """A version and a member that new issues get."""
    async with written.client("alice") as client:
        result = await told(
            client,
            "update_project",
            project="alpha",
            default_version="2.0",
            default_assignee="bob",
        )
        cleared = await told(client, "update_project", project="alpha", default_version="")

    assert {name: change["after"] for name, change in result["changed"].items()} == {
        "default_version": "2.0",
        "default_assignee": "Bob Builder",
    }
    assert "not_taken" not in result
    assert cleared["changed"] == {"default_version": {"before": "2.0"}}


async def test_nothing_to_change_asks_nothing(written: Any) -> None:
    """A call without a value is a mistake, and says so."""
    async with written.client("alice") as client:
        sentence = await refusal(client, "update_project", project="alpha")
    assert "Nothing to change was given." in sentence


async def test_who_may_not_is_told_so(written: Any) -> None:
    """Carol only reports issues."""
    async with written.client("carol") as client:
        assert "forbidden" in await refusal(
            client, "update_project", project="alpha", description="Mine"
        )
        assert "forbidden" in await refusal(client, "close_project", project="alpha")


async def test_closing_and_reopening(written: Any) -> None:
    """The subprojects are closed with it, and the list of closed ones has them."""
    async with written.client("alice") as client:
        closed = await told(client, "close_project", project="alpha")
        listed = await told(client, "list_projects", status="closed")
        reopened = await told(client, "reopen_project", project="alpha")

    assert closed["changed"] == {"status": {"before": "active", "after": "closed"}}
    assert {one["identifier"] for one in listed["projects"]} == {"alpha", "beta"}
    assert reopened["changed"] == {"status": {"before": "closed", "after": "active"}}


@pytest.mark.parametrize("tool", ["archive_project", "delete_project"])
async def test_the_end_of_a_project_is_asked_for(written: Any, tool: str) -> None:
    """Where the client cannot ask the person, the model is told to, and nothing happens."""
    async with written.client("admin") as client:
        sentence = await refusal(client, tool, project="beta")
        still = await project(client, "beta")

    assert "Beta (beta)" in sentence
    assert "not_confirmed" in sentence
    assert still["identifier"] == "beta"
    assert not [asked for asked in written.way.seen if asked.method in {"PUT", "DELETE"}]


async def test_archiving_and_bringing_back(written: Any) -> None:
    """An archived project is shown to nobody; its identifier brings it back."""
    async with written.client("admin") as client:
        await told(client, "archive_project", project="beta", confirm=True)
        assert "no project “beta”" in await refusal(client, "get_project", project="beta")
        await told(client, "unarchive_project", project="beta")
        assert (await project(client, "beta"))["name"] == "Beta"


async def test_deleting_names_what_goes(written: Any) -> None:
    """How many issues there are stands in the question; afterwards the project is gone."""
    async with written.client("admin") as client:
        question = await refusal(client, "delete_project", project="beta")
        done = await client.call_tool("delete_project", {"project": "beta", "confirm": True})
        sentence = await refusal(client, "get_project", project="beta")

    assert "with all its subprojects" in question
    assert " issues," in question
    assert "in the background" in unmarked(text_of(done))
    assert "There are: Alpha, Gamma (private)" in sentence


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_person_who_says_no_keeps_the_project(written: Any, mode: ConnectMode) -> None:
    """A client that can ask is asked, whatever the model claims with ``confirm``."""
    asked: list[str] = []

    async def no(message: str, *_: Any) -> Any:
        asked.append(message)
        return ElicitResult(action="decline")

    async with written.client("admin") as client:
        async with Client(client.transport, elicitation_handler=no, mode=mode) as asking:
            result = await asking.call_tool(
                "delete_project", {"project": "beta", "confirm": True}, raise_on_error=False
            )
        still = await project(client, "beta")

    assert len(asked) == 1
    assert "Beta (beta)" in asked[0]
    assert result.is_error
    assert still["identifier"] == "beta"


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        (
            "create_project",
            {"name": " ", "identifier": "Alpha!"},
            "Name cannot be blank; Identifier is invalid",
        ),
        (
            "create_version",
            {"project": "alpha", "name": "1.1"},
            "Name has already been taken",
        ),
        (
            "create_category",
            {"project": "alpha", "name": "UI"},
            "Name has already been taken",
        ),
        (
            "add_member",
            {"project": "alpha", "user": "7", "roles": ["Developer"]},
            "User has already been taken",
        ),
    ],
)
async def test_redmines_sentences_come_field_by_field(
    written: Any, tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    """A 422 is told in Redmine's words."""
    async with written.client("admin") as client:
        told = await refusal(client, tool, **arguments)

    assert told == f"Redmine refused the values: {sentence}. [invalid]"
