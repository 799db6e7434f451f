"""copy_issue: what comes along, and what is said of the rest."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core.testing import text_of, unmarked

COPY = "copy_issue"


async def copied(redmine: Any, **arguments: Any) -> tuple[dict[str, Any], str]:
    """The copy as Redmine has it, and what was said of it."""
    async with redmine.as_() as call:
        result = await call(COPY, **arguments)
    assert not result.is_error, text_of(result)
    include = "attachments,children,relations,watchers,journals"
    return await redmine.issue(result.structured_content["id"], include), unmarked(text_of(result))


async def test_everything_that_can_be_copied(redmine: Any) -> None:
    """Files, subtasks of subtasks, watchers and a relation to the original, in one write."""
    copy, text = await copied(redmine, issue_id=1, subject="Again", subtasks=True, watchers=True)

    assert text.splitlines()[-1] == (
        "Also: copied from #1; 3 files; 4 subtasks; 3 watchers; related to the original."
    )
    assert redmine.writes == ["POST /projects/1/issues.json"]
    assert copy["subject"] == "Again"
    assert [len(child.get("children", ())) for child in copy["children"]] == [0, 1, 0]
    assert {one["name"] for one in copy["watchers"]} == {"Alice Ace", "Bob Builder", "Carol Clark"}


async def test_a_bare_copy(redmine: Any) -> None:
    """Attributes and custom fields alone; Redmine takes any word for a yes to subtasks, even 0."""
    copy, text = await copied(redmine, issue_id=1, attachments=False, link=False)

    assert text.splitlines()[-1] == "Also: copied from #1."
    assert copy["attachments"] == []
    assert not copy.get("children")
    assert not copy.get("relations")
    fields = {one["name"]: one["value"] for one in copy["custom_fields"]}
    assert fields["Platforms"] == ["linux", "macos"]


async def test_what_the_description_says_stays_behind_does(redmine: Any) -> None:
    """Comments, history, status and logged time."""
    copy, _ = await copied(redmine, issue_id=1, link=False)

    assert copy["status"]["name"] == "New"
    assert copy["journals"] == []
    assert copy["spent_hours"] == 0


async def test_to_another_project(redmine: Any) -> None:
    """Category and version are taken by their names there; what is not there is told."""
    copy, text = await copied(redmine, issue_id=11, project="beta", tracker="Bug")

    assert copy["project"]["name"] == "Beta"
    assert copy["tracker"]["name"] == "Bug"
    assert copy["category"]["name"] == "UI"
    assert "fixed_version" not in copy
    assert text.splitlines()[-2:] == [
        "Also: copied from #11; related to the original.",
        "Not done: version 2.0 (not in that project).",
    ]


@pytest.mark.parametrize("login", ["bob", "carol"])
async def test_who_may_not_copy_is_told(redmine: Any, login: str) -> None:
    """In a sentence that says which of the two it may be."""
    async with redmine.as_(login) as call:
        result = await call(COPY, issue_id=1)

    assert text_of(result) == (
        "Your role may not copy issues from there, or not add them here. [forbidden]"
    )


async def test_unknown_names_are_answered_before_the_write(redmine: Any) -> None:
    """With those that there are."""
    async with redmine.as_() as call:
        result = await call(COPY, issue_id=1, tracker="Story")

    assert "There is no tracker “Story” here. There are: Bug, Feature, Support." in unmarked(
        text_of(result)
    )
    assert redmine.writes == []
