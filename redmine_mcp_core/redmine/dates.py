"""Days and spans of days, as a person writes them and as a filter of Redmine takes them.

What depends on today is left to Redmine, which knows the time zone and the first day of the week
of whoever asks (app/models/query.rb, ``sql_for_field``).
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

from redmine_mcp_core.redmine.errors import BadArgument

EXAMPLES = "2026-01-31, 2026-01, >=2026-01-31, 2026-01-01..2026-01-31, last 7 days, none, any"

_WORDS = {
    "today": "t",
    "yesterday": "ld",
    "this week": "w",
    "last week": "lw",
    "last 2 weeks": "l2w",
    "this month": "m",
    "last month": "lm",
    "this year": "y",
    "none": "!*",
    "any": "*",
}
_WORDS_AHEAD = {
    "tomorrow": "nd",
    "next week": "nw",
    "next month": "nm",
    "overdue": "<t-1",
}
"""What Redmine takes for planned dates alone, and not for when something happened."""

_COUNTED = re.compile(r"(last|past|next) (\d{1,5}) days?")
_COMPARED = re.compile(r"(>=|<=|>|<|=|)\s*([0-9-]+)")
_RANGE = re.compile(r"([0-9-]*)\s*\.\.\s*([0-9-]*)")
_SPAN = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


def date_filter(text: str, *, ahead: bool) -> str:
    """The expression of Redmine's filter; ``ahead`` for planned dates, which may lie in the future.

    Raises ``BadArgument`` with what would do.
    """
    wanted = " ".join(text.casefold().split())
    words = _WORDS | _WORDS_AHEAD if ahead else _WORDS
    if wanted in words:
        return words[wanted]
    if counted := _COUNTED.fullmatch(wanted):
        way = "+" if counted[1] == "next" else "-"
        if ahead or way == "-":
            return f"><t{way}{counted[2]}"
    elif compared := _COMPARED.fullmatch(wanted):
        return _comparison(compared[1], *_span(compared[2]))
    elif (between := _RANGE.fullmatch(wanted)) and (between[1] or between[2]):
        first = _span(between[1])[0] if between[1] else None
        last = _span(between[2])[1] if between[2] else None
        return _between(first, last)
    raise BadArgument(
        f"“{text[:40]}” is no date here. Write it like one of these: {EXAMPLES}, "
        f"{', '.join(word for word in words if word not in ('none', 'any'))}."
    )


def day_of(argument: str, text: str, *, ahead: bool) -> str:
    """A day that is to be set, as Redmine takes it; ``ahead`` where it may lie in the future.

    Yesterday, today and tomorrow are those of UTC: Redmine tells nobody's time zone. Raises
    ``BadArgument`` that names the argument.
    """
    days = {"yesterday": -1, "today": 0} | ({"tomorrow": 1} if ahead else {})
    wanted = text.strip().casefold()
    if wanted in days:
        return (datetime.now(UTC).date() + timedelta(days=days[wanted])).isoformat()
    try:
        return date.fromisoformat(wanted).isoformat()
    except ValueError:
        known = ", ".join(days)
        raise BadArgument(f"{argument} is a day, such as 2026-01-31, or {known}.") from None


def _comparison(operator: str, first: date, last: date) -> str:
    match operator:
        case ">=":
            return f">={first}"
        case "<=":
            return f"<={last}"
        case ">":
            return f">={last + timedelta(days=1)}"
        case "<":
            return f"<={first - timedelta(days=1)}"
        case _:
            return _between(first, last)


def _between(first: date | None, last: date | None) -> str:
    if first is None or last is None:
        return f"<={last}" if first is None else f">={first}"
    if first > last:
        raise BadArgument(f"{first}..{last} ends before it begins.")
    return f"={first}" if first == last else f"><{first}|{last}"


def _span(text: str) -> tuple[date, date]:
    """The first and last day of a year, of a month or of a day."""
    try:
        found = _SPAN.fullmatch(text)
        if not found:
            raise ValueError
        year, month, day = int(found[1]), int(found[2] or 0), int(found[3] or 0)
        last_month = month or 12
        last_day = day or monthrange(year, last_month)[1]
        return date(year, month or 1, day or 1), date(year, last_month, last_day)
    except (ValueError, OverflowError):
        raise BadArgument(f"“{text[:40]}” is no day, month or year like 2026-01-31.") from None
