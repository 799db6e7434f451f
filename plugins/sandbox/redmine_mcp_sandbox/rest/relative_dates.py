"""Days that a filter names by today: ``t``, ``lw``, ``>t-7`` (``Query#sql_for_field``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

Span = tuple[date | None, date | None]
FIRST_WEEKDAY = 7  # ISO's number for Sunday, with which Redmine's English week begins


def _days(first: int | None, last: int | None) -> Callable[[date, int], Span]:
    return lambda today, _: (_shifted(today, first), _shifted(today, last))


def _shifted(today: date, days: int | None) -> date | None:
    return None if days is None else today + timedelta(days=days)


def _weeks(first: int, last: int) -> Callable[[date, int], Span]:
    """From the first day of a week to the last of another; 0 is this week."""

    def span(today: date, _: int) -> Span:
        begun = today - timedelta(days=(today.isoweekday() - FIRST_WEEKDAY) % 7)
        return begun + timedelta(weeks=first), begun + timedelta(weeks=last, days=6)

    return span


def _month(offset: int) -> Callable[[date, int], Span]:
    def span(today: date, _: int) -> Span:
        first = _first_of_month(today, offset)
        return first, _first_of_month(today, offset + 1) - timedelta(days=1)

    return span


def _first_of_month(today: date, offset: int) -> date:
    years, month = divmod(today.month - 1 + offset, 12)
    return date(today.year + years, month + 1, 1)


PAST: Mapping[str, Callable[[date, int], Span]] = {
    "t": _days(0, 0),
    "ld": _days(-1, -1),
    "w": _weeks(0, 0),
    "lw": _weeks(-1, -1),
    "l2w": _weeks(-2, -1),
    "m": _month(0),
    "lm": _month(-1),
    "y": lambda today, _: (date(today.year, 1, 1), date(today.year, 12, 31)),
    "t-": lambda today, n: (_shifted(today, -n), _shifted(today, -n)),
    ">t-": lambda today, n: (_shifted(today, -n), None),
    "<t-": lambda today, n: (None, _shifted(today, -n)),
    "><t-": lambda today, n: (_shifted(today, -n), today),
}
FUTURE: Mapping[str, Callable[[date, int], Span]] = {
    "nd": _days(1, 1),
    "nw": _weeks(1, 1),
    "nm": _month(1),
    "t+": lambda today, n: (_shifted(today, n), _shifted(today, n)),
    ">t+": lambda today, n: (_shifted(today, n), None),
    "<t+": lambda today, n: (None, _shifted(today, n)),
    "><t+": lambda today, n: (today, _shifted(today, n)),
}
COUNTED = frozenset(("t-", ">t-", "<t-", "><t-", "t+", ">t+", "<t+", "><t+"))
