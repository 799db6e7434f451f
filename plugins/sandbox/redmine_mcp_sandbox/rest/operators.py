"""The operators of Redmine's filters: what ``=``, ``!~`` or ``><`` say about a value.

An operator stands in front of the value: ``subject=~login mail``, ``status_id=!5``,
``updated_on=>=2026-02-01``, ``due_date=><2026-02-01|2026-03-01``; ``|`` joins several values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from redmine_mcp_sandbox.rest.relative_dates import COUNTED, FUTURE, PAST, Span

Test = Callable[[Any, list[str]], bool]

# Redmine takes these without a value, and the days without a number too.
WITHOUT_VALUE = frozenset({"*", "!*", "o", "c", "*o", "!o", *PAST, *FUTURE} - COUNTED)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of filter: its operators, and which values they take."""

    tests: Mapping[str, Test]
    pattern: str = ".*"
    relative: Mapping[str, Callable[[date, int], Span]] = field(default_factory=dict)
    """Operators that name days by today."""

    def parse(self, expression: str) -> tuple[str, list[str]]:
        """Split an expression into operator and values; without an operator it means equality."""
        # Longer operators first: "!*" is not "!" with the value "*".
        for operator in sorted((*self.tests, *self.relative), key=len, reverse=True):
            if expression.startswith(operator):
                return operator, expression.removeprefix(operator).split("|")
        return "=", expression.split("|")

    def complaint(self, operator: str, values: list[str]) -> str | None:
        """What is wrong with the values, in Redmine's words."""
        if operator in WITHOUT_VALUE:
            return None
        if not values or not values[0].strip():
            return "cannot be blank"
        pattern = r"\d+" if operator in self.relative else self.pattern
        if not all(re.fullmatch(pattern, value, re.DOTALL) for value in values if value):
            return "is invalid"
        return None

    def matches(self, operator: str, values: list[str], value: Any, today: date) -> bool:
        """Whether a value passes."""
        if operator in self.relative:
            count = int(values[0]) if operator in COUNTED else 0
            return _is_within(value, self.relative[operator](today, count))
        test = self.tests.get(operator)
        return test is None or test(value, values)


def lower(text: str) -> str:
    """Lower case for ASCII letters alone, as SQLite's LIKE compares."""
    return re.sub("[A-Z]", lambda letter: letter[0].lower(), text)


def _is_within(value: Any, span: Span) -> bool:
    first, last = span
    if value is None:
        return False
    day = date.fromisoformat(value[:10])
    return (first is None or day >= first) and (last is None or day <= last)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _is_one_of(value: Any, wanted: list[str]) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_text(one) in wanted for one in values)


def _contains_all(value: Any, wanted: list[str]) -> bool:
    return all(word in lower(_text(value)) for word in _words(wanted))


def _contains_any(value: Any, wanted: list[str]) -> bool:
    return any(word in lower(_text(value)) for word in _words(wanted))


def _words(wanted: list[str]) -> list[str]:
    return lower(" ".join(wanted)).split()


def _ids(wanted: list[str]) -> list[int]:
    """Several ids stand in one value, joined by commas; Redmine reads the first value only."""
    return [int(number) for number in re.findall(r"\d+", wanted[0])]


PRESENCE: dict[str, Test] = {
    "*": lambda value, _: value not in (None, "", []),
    "!*": lambda value, _: value in (None, "", []),
}
LIST = Kind({"=": _is_one_of, "!": lambda value, wanted: not _is_one_of(value, wanted)})
OPTIONAL = Kind({**PRESENCE, **LIST.tests})
STATUS = Kind(
    {
        # "open" and "closed" are read by their first letter.
        "o": lambda status, _: not status.is_closed,
        "c": lambda status, _: status.is_closed,
        "*": lambda _status, _: True,
        "=": lambda status, wanted: _is_one_of(status.id, wanted),
        "!": lambda status, wanted: not _is_one_of(status.id, wanted),
    }
)
SEARCH = Kind(
    {
        "~": _contains_all,
        "*~": _contains_any,
        "!~": lambda value, wanted: not _contains_all(value, wanted),
    }
)
TEXT = Kind(
    PRESENCE
    | {
        **SEARCH.tests,
        "^": lambda value, wanted: lower(_text(value)).startswith(lower(wanted[0])),
        "$": lambda value, wanted: lower(_text(value)).endswith(lower(wanted[0])),
        "=": _is_one_of,
    }
)
STRING = Kind({**TEXT.tests, "!": LIST.tests["!"]})
_COMPARISONS: dict[str, Test] = {
    "=": lambda value, wanted: value is not None and value in map(float, wanted),
    ">=": lambda value, wanted: value is not None and value >= float(wanted[0]),
    "<=": lambda value, wanted: value is not None and value <= float(wanted[0]),
    "><": lambda v, wanted: v is not None and float(wanted[0]) <= v <= float(wanted[1]),
}
NUMBER = Kind(PRESENCE | _COMPARISONS, pattern=r"[+-]?\d+(\.\d*)?")
# Where nothing and zero are the same.
AMOUNT = Kind(
    _COMPARISONS | {"*": lambda value, _: value > 0, "!*": lambda value, _: value == 0},
    pattern=NUMBER.pattern,
)
ID = Kind(
    {**NUMBER.tests, "=": lambda value, wanted: value in _ids(wanted)},
    pattern=r"\d+(,\d+)*",
)
# The value is two lists of issues: the nearest, and all of that line.
TREE = Kind(
    {
        "=": lambda line, wanted: bool(set(line[0]) & set(_ids(wanted))),
        "~": lambda line, wanted: bool(set(line[1]) & set(_ids(wanted))),
        "*": lambda line, _: bool(line[0]),
        "!*": lambda line, _: not line[0],
    }
)
# Both sides are text: ISO dates sort as dates do, and a day holds all its times.
_DATES: dict[str, Test] = PRESENCE | {
    "=": lambda v, wanted: v is not None and v[: len(wanted[0])] == wanted[0],
    ">=": lambda v, wanted: v is not None and v[: len(wanted[0])] >= wanted[0],
    "<=": lambda v, wanted: v is not None and v[: len(wanted[0])] <= wanted[0],
    "><": lambda v, wanted: (
        v is not None and wanted[0] <= v[: len(wanted[0])] and v[: len(wanted[1])] <= wanted[1]
    ),
}
_DATE = r"\d{4}-\d\d-\d\d(T\d\d(:\d\d){0,2}Z?)?"
PAST_DATE = Kind(_DATES, _DATE, PAST)
DATE = Kind(_DATES, _DATE, {**PAST, **FUTURE})
