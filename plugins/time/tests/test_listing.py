"""list_time_entries: which entries, in which order, and what they add up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from redmine_mcp_core.testing import text_of, unmarked
from redmine_mcp_core.testing.fixtures import SignIn, Target

LIST = "list_time_entries"


async def ids(client: Any, **arguments: Any) -> list[int]:
    result = await client.call_tool(LIST, arguments)
    return [entry["id"] for entry in result.structured_content.get("entries", ())]


async def test_entries_are_lines_with_their_sum(redmine: Target) -> None:
    """The newest first; what all have in common is said once. One call, the project being known."""
    async with redmine.client() as client:
        await client.call_tool(LIST, {"project": "alpha"})
        redmine.way.seen.clear()
        asked = {"project": "alpha", "subprojects": False, "user": "me", "spent_on": "2026-01"}
        result = await client.call_tool(LIST, asked)

    assert unmarked(text_of(result)).splitlines() == [
        "All: Alpha, Alice Ace. [id], dates of 2026:",
        "[7] 01-24 0.75 h #12, Development",
        "[5] 01-22 1 h #5, Design: call with security",
        "[1] 01-07 1.25 h #1, Design: draft",
        "1-3 of 3; 3 h in all",
    ]
    assert len(redmine.way.seen) == 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ({"project": "beta"}, [8]),
        ({"project": "Alpha", "subprojects": False}, [10, 7, 6, 5, 4, 3, 2, 1]),
        ({"user": "me"}, [8, 7, 5, 1]),
        ({"user": "Bob Builder"}, [9, 6, 4, 3, 2]),
        ({"user": "!Bob Builder, Alice Ace"}, [10]),
        ({"user": 7}, [10]),
        ({"issue": 1}, [2, 1]),
        ({"issue": "#1"}, [2, 1]),
        ({"issue": "~1"}, [5, 4, 3, 2, 1]),
        ({"issue": "none"}, []),
        ({"activity": "design"}, [10, 5, 1]),
        ({"version": "1.1", "project": "alpha"}, [7, 6, 4, 3, 2, 1]),
        ({"version": "M1"}, [9]),
        ({"version": 4, "project": "alpha"}, [8]),
        ({"spent_on": "2026-01-20..2026-01-24"}, [7, 6, 5, 4]),
        ({"spent_on": "<2026-01-09"}, [2, 1]),
        ({"spent_on": "this week"}, []),
        ({"fields": {"hours": ">=3"}}, [9, 6, 3]),
        ({"fields": {"hours": "1..2"}}, [10, 8, 5, 1]),
        ({"fields": {"comments": "call"}}, [5]),
        ({"fields": {"comments": "none"}}, [7, 2]),
        ({"fields": {"tracker": "Support"}}, [10, 5, 3]),
        ({"fields": {"status": "closed"}}, []),
        ({"fields": {"subject": "login"}}, [9, 5, 4, 3, 2, 1]),
        ({"fields": {"parent": "1"}}, [5, 3]),
        ({"fields": {"category": "UI"}, "project": "alpha"}, [3, 2, 1]),
        ({"fields": {"author": "me"}}, [8, 7, 5, 1]),
        ({"fields": {"group": "Team Red"}}, [9, 6, 4, 3, 2]),
        ({"fields": {"role": "Reporter"}}, [10]),
        ({"fields": {"project_status": "closed"}}, []),
        ({"sort": "-hours"}, [9, 6, 3, 4, 8, 10, 1, 5, 7, 2]),
        ({"sort": "user, -spent_on"}, [8, 7, 5, 1, 9, 6, 4, 3, 2, 10]),
        ({"sort": "activity,hours desc", "user": "me"}, [1, 5, 8, 7]),
    ],
)
async def test_every_filter_by_name(
    redmine: Target, asked: dict[str, Any], found: list[int]
) -> None:
    """As Redmine finds them, the sandbox and a real one."""
    async with redmine.client() as client:
        assert await ids(client, **asked) == found


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"user": "Nobody"}, "There are: Alice Ace, Bob Builder"),
        ({"activity": "Cooking"}, "There are: Design, Development"),
        ({"version": "9", "project": "alpha"}, "There are: 1.0, 1.1, 2.0"),
        ({"version": "none"}, "There are: 1.0"),
        ({"project": "omega"}, "There are: Alpha, Beta"),
        ({"spent_on": "soon"}, "Write it like one of these: 2026-01-31"),
        ({"issue": "1, 2"}, "number of one issue, ~12 with its subtasks"),
        ({"fields": {"hours": "many"}}, "hours is a number, >=1"),
        ({"fields": {"category": "UI"}}, "Categories belong to a project"),
        ({"fields": {"project_status": "x"}}, "active or closed"),
        ({"fields": {"nothing": "x"}}, "Other filters: user, author, group"),
        ({"fields": {"user": "me"}, "user": "me"}, "user is given twice"),
        ({"fields": {"comments": ""}}, "comments is empty"),
        ({"fields": {"comments": "a|b"}}, "“|” in it"),
        ({"sort": "colour"}, "There are: spent_on, created, hours"),
        ({"sort": "user,hours,issue,project"}, "3 keys at most"),
        ({"entry": 1, "user": "me"}, "goes with no filter"),
        ({"entry": 99}, "Time entry 99 does not exist"),
    ],
)
async def test_a_wrong_value_is_answered_with_the_right_ones(
    sign_in: SignIn, told: Any, asked: dict[str, Any], sentence: str
) -> None:
    """Redmine would forget every filter, and list everything."""
    async with sign_in("alice") as client:
        assert sentence in await told(client, LIST, **asked)


async def test_one_entry_is_shown_whole(written: Target, told: Any) -> None:
    """A long comment is cut in a list, which says how to read it."""
    long = "word " * 60
    async with written.client() as client:
        await told(client, "update_time_entry", entry_id=1, comments=long)
        listed = await told(client, LIST, issue=1)
        shown = await told(client, LIST, entry=1)

    assert "word …" in listed
    assert "a comment that ends in … is whole with entry=its id" in listed
    assert long.strip() in shown


async def test_somebody_sees_what_redmine_shows_them(redmine: Target) -> None:
    """carol is no member of the private project."""
    async with redmine.client("carol") as client:
        assert 9 not in await ids(client)


async def test_pages_of_many(sign_in: SignIn, many: Callable[[int], None], told: Any) -> None:
    """Each page says how to go on, and the sum is that of all: of minutes, not of hundredths."""
    many(90)
    async with sign_in("alice") as client:
        first = await told(client, LIST, spent_on="<2026-01-01")
        last = await told(client, LIST, spent_on="<2026-01-01", page=4)
        beyond = await told(client, LIST, spent_on="<2026-01-01", page=5)

    assert first.splitlines()[-1] == "1-25 of 90; 30 h in all; next: page=2"
    assert last.splitlines()[-1] == "76-90 of 90; 30 h in all"
    assert beyond == "90 in all, but page 5 is past the last."


async def test_the_sum_of_more_than_a_page_of_redmine(
    sign_in: SignIn, many: Callable[[int], None], told: Any
) -> None:
    """Of more than a hundred all are read; of more than two thousand none is added up."""
    many(240)
    async with sign_in("alice") as client:
        some = await told(client, LIST, spent_on="<2026-01-01", page=7)
        many(1900)
        most = await told(client, LIST, spent_on="<2026-01-01", page=60)

    assert some.splitlines()[-1] == "151-175 of 240; 80 h in all; next: page=8"
    assert most.splitlines()[-1] == (
        "1476-1500 of 2140; too many to add up: narrow spent_on; next: page=61"
    )


async def test_an_answer_keeps_to_its_budget(sign_in: SignIn, many: Callable[[int], None]) -> None:
    """25 entries in 1,650 bytes, as 25 issues."""
    many(60)
    async with sign_in("alice") as client:
        mixed = await client.call_tool(LIST, {"sort": "-hours"})
        mine = await client.call_tool(LIST, {"user": "me"})

    for answer in (mixed, mine):
        size = len(text_of(answer).encode())
        assert size <= 1_650, f"{size} bytes"


@pytest.mark.usefixtures("with_fields")
class TestCustomFields:
    """Fields that an administrator gave to time entries."""

    async def test_they_are_logged_shown_and_filtered(self, sign_in: SignIn, told: Any) -> None:
        """By name; a box takes true or yes."""
        fields = {"billable": True, "Kind": ["Remote"]}
        async with sign_in("alice", *SCOPES) as client:
            logged = await told(
                client, "log_time", hours=1, issue=12, activity="Design", fields=fields
            )
            yes = await ids(client, fields={"Billable": "yes"})
            empty = await ids(client, fields={"Kind": "none"})
            by = await told(client, LIST, group_by="Kind")
            wrong = await told(client, LIST, fields={"Colour": "red"})

        assert "Billable: 1, Kind: Remote" in logged
        assert yes == [11]
        assert 11 not in empty
        assert "Remote: 1 h (1 entry)" in by
        assert "There are: Billable, Client, Kind" in wrong

    async def test_a_field_that_is_no_filter_is_an_error(self, sign_in: SignIn, told: Any) -> None:
        """Redmine would list everything."""
        async with sign_in("alice") as client:
            said = await told(client, LIST, fields={"Client": "Acme"})

        assert "Redmine does not filter by Client here" in said

    async def test_they_are_changed(self, sign_in: SignIn, told: Any) -> None:
        """What was and what is stands in the answer."""
        async with sign_in("alice", *SCOPES) as client:
            said = await told(client, "update_time_entry", entry_id=1, fields={"Client": "Acme"})

        assert "Client: none → Acme" in said


async def test_a_field_that_nobody_named_goes_by_id(sign_in: SignIn, told: Any) -> None:
    """What Redmine dropped is told."""
    async with sign_in("alice", *SCOPES) as client:
        said = await told(
            client, "log_time", hours=1, project="beta", activity="Design", fields={"13": "x"}
        )
        unknown = await told(
            client, "log_time", hours=1, project="beta", activity="Design", fields={"Tax": "x"}
        )

    assert "Silently dropped by Redmine: custom field 13." in said
    assert "give the field's id" in unknown


SCOPES = (
    "view_time_entries",
    "view_issues",
    "view_project",
    "view_members",
    "log_time",
    "edit_own_time_entries",
    "edit_time_entries",
)
