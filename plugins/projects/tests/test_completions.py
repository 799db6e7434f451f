"""What is offered while somebody fills in an argument."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fastmcp.client.client import ConnectMode
from mcp_types import ResourceTemplateReference

from redmine_mcp_core.testing import client_for

REFERENCE = ResourceTemplateReference(uri="redmine://projects/{project}")


async def offered(client: Any, argument: str, typed: str = "", **given: str) -> list[str]:
    answer = await client.complete(
        REFERENCE, {"name": argument, "value": typed}, context_arguments=given or None
    )
    return list(answer.values)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_both_eras_complete_as_the_caller(redmine: Any, mode: ConnectMode) -> None:
    """Carol is not offered the private project that alice is."""
    async with redmine.client("alice", mode=mode) as client:
        assert await offered(client, "project") == ["alpha", "beta", "gamma"]
    async with redmine.client("carol", mode=mode) as client:
        assert await offered(client, "project") == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("al", ["alpha"]), ("GAM", ["gamma"]), ("private", ["gamma"]), ("zzz", [])],
)
async def test_a_project_by_identifier_or_name(
    redmine: Any, typed: str, expected: list[str]
) -> None:
    """What is offered is the identifier, which is valid wherever a project is asked for."""
    async with redmine.client() as client:
        assert await offered(client, "project_id", typed) == expected


async def test_a_project_whose_name_says_nothing_of_its_identifier(written: Any) -> None:
    """It is offered by either."""
    async with written.client("admin") as client:
        new = {"name": "Zebra", "identifier": "web-shop"}
        await client.call_tool("create_project", new)
        assert await offered(client, "project", "web") == ["web-shop"]
        assert await offered(client, "project", "zeb") == ["web-shop"]


async def test_issues_are_offered_as_numbers(redmine: Any) -> None:
    """Open ones that are the caller's, newest first, each once; what was typed begins them."""
    async with redmine.client("alice") as client:
        numbers = await offered(client, "issue_id")
        begun = await offered(client, "issue_id", "1")

    assert "1" in numbers
    assert all(number.isdecimal() for number in numbers)
    assert len(numbers) == len(set(numbers))
    assert begun == [number for number in numbers if number.startswith("1")]


async def test_versions_of_the_project_that_was_chosen(redmine: Any) -> None:
    """Without a project, those of all projects."""
    async with redmine.client() as client:
        of_alpha = await offered(client, "version", "1", project="Alpha")
        anywhere = await offered(client, "version")
    assert of_alpha == ["1.0", "1.1"]
    assert set(of_alpha) < set(anywhere)


async def test_people_of_the_project_that_was_chosen(redmine: Any) -> None:
    """By their names."""
    async with redmine.client() as client:
        assert await offered(client, "assignee", project="gamma") == ["Alice Ace", "Bob Builder"]
        assert await offered(client, "assignee", "c", project="alpha") == ["Carol Clark"]


async def test_days_are_offered_as_dates(sign_in: Any, sandbox: Any) -> None:
    """Newest first, all of them past; Redmine need not be asked."""
    async with sign_in() as client:
        days = [date.fromisoformat(day) for day in await offered(client, "since")]
    assert days == sorted(days, reverse=True)
    assert len(days) == 4
    assert sandbox.requests == []


async def test_what_nobody_knows_or_sees_offers_nothing(sign_in: Any, sandbox: Any) -> None:
    """An unknown argument, a missing scope, a Redmine that is down: no values, and no error."""
    async with sign_in("alice", "view_project") as client:
        assert await offered(client, "colour") == []
        assert await offered(client, "issue_id") == []
        sandbox.lock("alice")
        assert await offered(client, "project") == []


async def test_every_argument_of_a_template_is_completed(sign_in: Any) -> None:
    """A new template brings a completer for what it asks."""
    async with sign_in() as client:
        templates = await client.list_resource_templates()
        for template in templates:
            names = [part.split("}")[0] for part in template.uri_template.split("{")[1:]]
            for name in names:
                assert await offered(client, name), f"{name} of {template.uri_template}"


async def test_a_completer_that_breaks_harms_nobody() -> None:
    """Its values are missing, and those of the others are there."""
    from redmine_mcp_core import Plugin

    broken, fine = Plugin(), Plugin()

    @broken.completes("colour")
    async def fail(*_: Any) -> list[str]:
        raise RuntimeError("broken")

    @fine.resource(REFERENCE.uri, name="colour", title="A colour")
    async def colour(project: str) -> str:
        return project

    @fine.completes("colour")
    async def colours(prefix: str, *_: Any) -> list[str]:
        return [f"{prefix}ed"]

    async with client_for(broken, fine, redmine="http://127.0.0.1:9", token="any") as client:
        assert await offered(client, "colour", "r") == ["red"]
