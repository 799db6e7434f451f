"""list_issues: the order in which issues come, and what is said above them in each."""

from __future__ import annotations

from typing import Any

from redmine_mcp_core.testing import text_of


async def test_an_order_is_kept(read_as: Any, listed: Any, ids: Any) -> None:
    """Where one was asked for, nothing stands under headings, and its date is shown."""
    async with read_as() as client:
        result = await listed(client, fields={"id": "1,2,3"}, sort="-created")
        by_two = await listed(client, fields={"id": "1,2,3"}, sort="assignee, id:desc")

    assert text_of(result).splitlines()[1:-2] == [
        "All: Alpha. Dates: 2026, created.",
        "#3 In Progress, Feature, Urgent, Bob Builder, 01-07: New form for the login page",
        "#2 Resolved, Support, Normal, Bob Builder, 01-06: Measure how slow the login page is",
        "#1 In Progress, Feature, Urgent, Alice Ace, 01-05: Rework the login page",
    ]
    assert ids(by_two) == [1, 3, 2]


async def test_in_an_order_of_ones_own_what_is_usual_is_said_once(
    read_as: Any, listed: Any
) -> None:
    """Where rows have no headings, they tell how they differ from most."""
    async with read_as() as client:
        result = await listed(client, project="alpha", subprojects=False, sort="id")

    lines = text_of(result).splitlines()[1:-2]
    assert lines[0] == (
        "All: Alpha. Default: New, Bug, Normal, Bob Builder. Dates: 2026, updated unless due."
    )
    assert (
        lines[1] == "#1 In Progress, Feature, Urgent, Alice Ace, due 02-10: Rework the login page"
    )
    rows = {row["id"]: row for row in result.structured_content["issues"]}
    for text in lines[1:]:
        row = rows[int(text[1:].split(" ")[0])]
        for column, usual in (("status", "New"), ("tracker", "Bug"), ("priority", "Normal")):
            assert (f"{row[column]}," in text) == (row[column] != usual), text


async def test_an_order_may_be_named_as_in_redmines_api(
    read_as: Any, listed: Any, ids: Any
) -> None:
    """A model knows that by heart; what is counted by, too."""
    async with read_as() as client:
        ours = await listed(client, project="alpha", sort="-updated,priority")
        theirs = await listed(client, project="alpha", sort="updated_on:desc,priority_id")
        counts = [
            (await listed(client, group_by=by)).structured_content["groups"]
            for by in ("assignee", "assigned_to", "assigned_to_id")
        ]

    assert ids(ours) == ids(theirs)
    assert counts[0] == counts[1] == counts[2]


async def test_an_order_has_headings_where_they_are_the_shorter(
    read_as: Any, listed: Any, ids: Any
) -> None:
    """What several rows in a row are sorted by is said above them, and nothing changes place."""
    async with read_as() as client:
        result = await listed(client, project="alpha", subprojects=False, sort="priority,id")

    lines = text_of(result).splitlines()[2:-2]
    headings = [text.removesuffix(":") for text in lines if not text.startswith("#")]
    rows = [int(text[1:].split()[0].rstrip(":")) for text in lines if text.startswith("#")]
    by_id = {row["id"]: row for row in result.structured_content["issues"]}
    assert rows == ids(result)
    assert headings == list(dict.fromkeys(row["priority"] for row in by_id.values()))
    above = text_of(result).splitlines()[1]
    assert not any(
        heading in text
        for heading in headings
        for text in [above, *lines[1:]]
        if not text.endswith(":")
    )


async def test_the_last_updated_come_first(read_as: Any, listed: Any, ids: Any) -> None:
    """By default, page by page."""
    async with read_as() as client:
        first, second = [await listed(client, page=page) for page in (1, 2)]

    days = [
        issue["updated_on"]
        for page in (first, second)
        for issue in page.structured_content["issues"]
    ]
    assert days == sorted(days, reverse=True)
    assert len(set(ids(first) + ids(second))) == first.structured_content["total"] == len(days)
    assert text_of(first).splitlines()[-1] == f"1-25 of {len(days)}; next: page=2"
    assert text_of(second).splitlines()[-1] == f"26-{len(days)} of {len(days)}"
