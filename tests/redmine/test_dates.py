"""Days and spans, as a person writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from redmine_mcp_core import BadArgument, date_filter, day_of


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("2026-01-31", "=2026-01-31"),
        ("=2026-01-31", "=2026-01-31"),
        ("2026-02", "><2026-02-01|2026-02-28"),
        ("2024-02", "><2024-02-01|2024-02-29"),
        ("2026", "><2026-01-01|2026-12-31"),
        (">=2026-01-31", ">=2026-01-31"),
        ("> 2026-01-31", ">=2026-02-01"),
        (">2026-01", ">=2026-02-01"),
        ("<=2026-01", "<=2026-01-31"),
        ("<2026-01-01", "<=2025-12-31"),
        ("2026-01-01..2026-01-31", "><2026-01-01|2026-01-31"),
        ("2026-01..2026-02", "><2026-01-01|2026-02-28"),
        ("2026-01-05..", ">=2026-01-05"),
        ("..2026-01-05", "<=2026-01-05"),
        ("today", "t"),
        ("Last  Week", "lw"),
        ("this month", "m"),
        ("last 7 days", "><t-7"),
        ("past 1 day", "><t-1"),
        ("none", "!*"),
        ("any", "*"),
    ],
)
def test_a_date_is_written_as_people_do(text: str, expression: str) -> None:
    """Days, months, years, comparisons, ranges, and words; what depends on today is Redmine's."""
    assert date_filter(text, ahead=False) == expression
    assert date_filter(text, ahead=True) == expression


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("tomorrow", "nd"),
        ("next week", "nw"),
        ("next 7 days", "><t+7"),
        ("overdue", "<t-1"),
    ],
)
def test_what_lies_ahead_is_for_planned_dates(text: str, expression: str) -> None:
    """Nothing was created tomorrow, and Redmine would take the words for something else."""
    assert date_filter(text, ahead=True) == expression
    with pytest.raises(BadArgument, match="last week"):
        date_filter(text, ahead=False)


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "2026-02-30",
        "2026-13",
        "26-01-01",
        "..",
        "2026-02-01..2026-01-01",
        ">=",
        "٢٠٢٦",
        "0",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    """Before Redmine would take it for another one."""
    with pytest.raises(BadArgument):
        date_filter(text, ahead=True)


def test_a_day_to_set() -> None:
    """As it is written, or in a word, which is about the day of UTC."""
    before = datetime.now(UTC).date()
    days = [date.fromisoformat(day_of("due", word, ahead=True)) for word in ("Today ", "tomorrow")]
    after = datetime.now(UTC).date()

    assert day_of("due", " 2026-01-31", ahead=False) == "2026-01-31"
    assert before <= days[0] <= after
    assert days[0] < days[1]


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30", "31.1.2026", ""])
def test_what_is_no_day_to_set(text: str) -> None:
    """The answer names the argument, and the words that would do: none ahead of today here."""
    with pytest.raises(BadArgument, match=r"spent_on is a day, .* or yesterday, today\.$"):
        day_of("spent_on", text, ahead=False)
