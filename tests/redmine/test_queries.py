"""What a list of Redmine is asked for, and how the answer is held to it."""

from __future__ import annotations

import pytest

from redmine_mcp_core import (
    BadArgument,
    Filters,
    check_value,
    custom_values,
    names_filter,
    number_filter,
    number_of,
    sort_by,
)

VERSIONS = {"1.0": "1", "2.0": "2", "Spring, first half": "3"}


async def id_of(name: str) -> str:
    if name not in VERSIONS:
        raise BadArgument(f"There is no version “{name}” here.")
    return VERSIONS[name]


def test_a_filter_that_redmine_ignored_is_an_error() -> None:
    """It lists everything then, and a model would take that for the answer."""
    filters = Filters("issues")
    filters.add("version", "fixed_version_id", "=1", lambda issue: issue["version"] == 1)

    filters.check([{"version": 1}])
    filters.check([])
    with pytest.raises(BadArgument, match="does not filter by version here, and listed other iss"):
        filters.check([{"version": 1}, {"version": 2}])


@pytest.mark.parametrize(("value", "problem"), [("", "is empty"), ("a|b", "cannot filter by")])
def test_what_no_filter_can_look_for(value: str, problem: str) -> None:
    """A bar would part the value in two, and an empty one would be no filter at all."""
    with pytest.raises(BadArgument, match=problem):
        check_value("Customer", value)


@pytest.mark.parametrize(
    ("text", "expression", "ids"),
    [
        ("1.0", "=1", {"1"}),
        ("1.0, 2.0", "=1|2", {"1", "2"}),
        ("!1.0", "!1", {"1"}),
        ("! 1.0, !2.0", "!1|2", {"1", "2"}),
        ("Spring, first half", "=3", {"3"}),
    ],
)
async def test_names_become_a_filter(text: str, expression: str, ids: set[str]) -> None:
    """One name, even one with a comma in it, or several; an exclamation mark excludes."""
    assert await names_filter(text, id_of) == (expression, frozenset(ids))


@pytest.mark.parametrize("text", ["3.0", "1.0, 3.0"])
async def test_a_name_that_there_is_not(text: str) -> None:
    """What is said of it is said."""
    with pytest.raises(BadArgument, match=r"no version “3\.0”"):
        await names_filter(text, id_of)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("8", "=8"),
        ("=8", "=8"),
        (">= 1.5", ">=1.5"),
        ("<=-3", "<=-3"),
        ("1..8", "><1|8"),
        ("-1.5 .. 8", "><-1.5|8"),
        ("", None),
        (">", None),
        (">8", None),
        ("1.2.3..4", None),
        ("1e5", None),
        ("1" * 10, None),
        ("many", None),
    ],
)
def test_a_number_becomes_a_filter(text: str, expression: str | None) -> None:
    """Nothing malformed does: Redmine would forget all other filters, too."""
    assert number_filter(text) == expression


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("due", "due_date"),
        ("-due", "due_date:desc"),
        ("-priority, due", "priority:desc,due_date"),
        ("due desc,priority:asc", "due_date:desc,priority"),
        ("", ""),
    ],
)
async def test_keys_become_an_order(text: str, order: str) -> None:
    """Both ways to turn one round, a minus sign and SQL's, are understood."""
    assert await sort_by(text, column_of, COLUMNS) == order


COLUMNS = {"priority": "priority", "due": "due_date"}


async def column_of(key: str) -> str:
    if key not in COLUMNS:
        raise BadArgument("no such field")
    return COLUMNS[key]


async def test_an_order_that_redmine_would_ignore() -> None:
    """An unknown key, and one more than it takes."""
    with pytest.raises(BadArgument, match=r"“-size”\. There are: priority, due\."):
        await sort_by("due,-size", column_of, COLUMNS)
    with pytest.raises(BadArgument, match="by 3 keys at most"):
        await sort_by("due,due,due,due", column_of, COLUMNS)


def test_the_values_of_a_custom_field() -> None:
    """None, one or several, and what is empty is none."""
    issue = {
        "custom_fields": [
            {"id": 1, "value": "red"},
            {"id": 2, "value": ["a", "b"]},
            {"id": 3, "value": ""},
            {"id": 4},
        ]
    }

    assert [custom_values(issue, number) for number in range(1, 6)] == [
        ["red"],
        ["a", "b"],
        [],
        [],
        [],
    ]
    assert custom_values({}, 1) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), (" #12 ", 12), ("12a", None), ("-1", None), ("1" * 10, None), ("१२", None)],
)
def test_the_id_that_was_written(text: str, number: int | None) -> None:
    """With or without its mark; nothing that a database might not take."""
    assert number_of(text) == number
