"""Hours, as a person writes them."""

from __future__ import annotations

from typing import Any

import pytest

from redmine_mcp_core import BadArgument, hours_of


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        (2, 2),
        (0.25, 0.25),
        ("1.5", 1.5),
        ("1,5", 1.5),
        ("1.5h", 1.5),
        ("1.5 hours", 1.5),
        ("1:30", 1.5),
        ("0:45", 0.75),
        ("1h30", 1.5),
        ("1 H 30 min", 1.5),
        ("2h", 2),
        ("2 hours", 2),
        ("45m", 0.75),
        ("90 minutes", 1.5),
        (" 3 ", 3),
    ],
)
def test_hours_are_written_as_people_do(text: Any, hours: float) -> None:
    """As a number, by the clock, or with units."""
    assert hours_of(text) == hours


@pytest.mark.parametrize(
    "text", ["", "x", "-1", -1, "1:75", "1h75", "1:3", float("nan"), float("inf"), True, "1.5.5"]
)
def test_what_is_no_number_of_hours_is_refused(text: Any) -> None:
    """With what would do instead."""
    with pytest.raises(BadArgument, match=r"like 1\.5, 1:30 or 1h30"):
        hours_of(text)
