"""How Redmine reads what a request says: Ruby's and Rails' conversions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any


class Unreadable:
    """A value that its column cannot hold; it is complained about when the record is checked."""


UNREADABLE = Unreadable()
SPOKEN_HOURS = r"(?:(\d+)\s*h(?:ours?)?)?\s*(?:(\d+)\s*(?:m|min)?)?"
FALSE = (False, 0, "0", "f", "F", "false", "FALSE", "off", "OFF")


def blank(value: Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def text(value: Any) -> str:
    """Ruby's ``to_s``."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def optional_text(value: Any) -> str | None:
    return None if value is None else text(value)


def integer(value: Any) -> int | None:
    """A column of integers takes the leading number of a text, else 0 (ActiveModel's Integer)."""
    if blank(value) or isinstance(value, (list, dict)):
        return None
    if isinstance(value, (bool, int, float)):
        return int(value)
    leading = re.match(r"\s*[+-]?\d+", value)
    return int(leading[0]) if leading else 0


def boolean(value: Any) -> bool | None:
    """ActiveModel's Boolean: everything that is not false is true."""
    return None if value in ("", None) else value not in FALSE


def hours(value: Any) -> float | Unreadable | None:
    """``1.5``, ``"1,5"``, ``"1:30"``, ``"1h30"``, ``"90 min"``: Redmine's ``String#to_hours``."""
    if blank(value):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    written = text(value).strip()
    if plain := re.fullmatch(r"(\d+([.,]\d+)?)h?", written):
        written = plain[1]
    elif clock := re.fullmatch(r"(\d+):(\d+)", written):
        return int(clock[1]) + int(clock[2]) / 60
    elif spoken := re.fullmatch(SPOKEN_HOURS, written, re.IGNORECASE):
        return int(spoken[1] or 0) + int(spoken[2] or 0) / 60
    try:
        return float(written.replace(",", "."))
    except ValueError:
        return UNREADABLE


def day(value: Any) -> str | Unreadable | None:
    """An ISO date (``DateValidator``)."""
    if blank(value):
        return None
    if not re.fullmatch(r"\d{4}-\d\d-\d\d( 00:00:00)?", text(value)):
        return UNREADABLE
    try:
        return date.fromisoformat(text(value)[:10]).isoformat()
    except ValueError:
        return UNREADABLE


def integers(value: Any) -> list[int]:
    """Several ids: a list, or one alone; blanks are skipped."""
    given: Iterable[Any] = value if isinstance(value, list) else [value]
    return [number for one in given if (number := integer(one)) is not None]
