"""The sections of a page in Redmine's two markups, Textile and CommonMark.

The API does not tell which of the two a Redmine uses, so a text tells by itself: one with a line
such as ``h2. Setup`` is Textile, where ``# first`` is an item of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from redmine_mcp_core import BadArgument, line

_TEXTILE = re.compile(r"h([1-6])(?:\([^)\n]*\)|\{[^}\n]*\}|\[[^]\n]*\]|[<>=]+)*\. +(\S.*)")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*")
"""CommonMark 0.31, section 4.2."""
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
"""CommonMark 0.31, section 4.3; a single dash is more often the beginning of a list."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_PRE = re.compile(r"<(/?)pre\b", re.IGNORECASE)
_NO_PARAGRAPH = re.compile(r"\s*$| {4}|\t|[ ]{0,3}(?:[-*+>|#]|\d+[.)])")
"""What an underline does not make a heading of."""

HEADINGS_TOLD = 40


class Section(NamedTuple):
    """A heading with all below it, up to the next one of its level. Offsets are characters."""

    level: int
    heading: str
    start: int
    body: int
    """Where the heading's line ends."""
    end: int


class _Code:
    """Follows the lines of a text in and out of blocks of code."""

    def __init__(self) -> None:
        self.opened = ""
        """The line with which the block began, or nothing."""

    def holds(self, row: str) -> bool:
        """Whether the next line is part of a block, its first and last line among them."""
        inside = bool(self.opened)
        if self.opened.startswith("<"):
            tags = _PRE.findall(row)
            self.opened = "" if tags and tags[-1] else self.opened
        elif fence := _FENCE.match(row):
            if not self.opened:
                self.opened = fence[1]
                return True
            if fence[1].startswith(self.opened) and not row.strip(" \t`~"):
                self.opened = ""
        elif not self.opened and (tags := _PRE.findall(row)) and not tags[-1]:
            self.opened = "<pre>"
        return inside


def code_open_at(text: str, offset: int) -> str:
    """What begins the block of code that an offset lies in; nothing outside of one."""
    code = _Code()
    for row in text[:offset].split("\n"):
        code.holds(row)
    return code.opened


def sections_of(text: str) -> list[Section]:
    """The sections of a text with plain line ends, in their order; none in code."""
    found = list(_headings(text, text))
    return [
        Section(level, heading, start, body, _end(found, place, len(text)))
        for place, (level, heading, start, body) in enumerate(found)
    ]


def section_of(text: str, wanted: str) -> Section:
    """The section of this heading, or of this number, counted from 1.

    Raises ``BadArgument`` with the headings there are.
    """
    found = sections_of(text)
    name = " ".join(wanted.split()).lstrip("# ").casefold()
    fitting = [one for one in found if line(one.heading).casefold() == name]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and name.isdecimal() and 0 < int(name) <= len(found):
        return found[int(name) - 1]
    if not found:
        raise BadArgument("This page has no headings, so it has no sections.")
    told = "; ".join(f"{number} {one.heading}" for number, one in enumerate(found, 1))
    several = f"{len(fitting)} sections have this heading: give the number. There are: "
    raise BadArgument(several if fitting else "No section has this heading. There are: ", told, ".")


def begins_with_heading(text: str, page: str) -> bool:
    """Whether a text's first line that is not empty is a heading, in the markup of this page.

    What is one in the other markup may be an item of a list here.
    """
    first = next(_headings(text.lstrip("\n"), page), None)
    return first is not None and first[2] == 0


_Heading = tuple[int, str, int, int]


def _headings(text: str, page: str) -> Iterator[_Heading]:
    """The headings of a text in the markup of this page."""
    return (_textile if any(_textile(page)) else _commonmark)(text)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """The lines outside of code, with their offsets."""
    code, offset = _Code(), 0
    for row in text.split("\n"):
        if not code.holds(row):
            yield offset, row
        offset += len(row) + 1


def _textile(text: str) -> Iterator[_Heading]:
    for offset, row in _rows(text):
        if heading := _TEXTILE.fullmatch(row):
            yield int(heading[1]), line(heading[2]), offset, offset + len(row)


def _commonmark(text: str) -> Iterator[_Heading]:
    before, at = "", 0
    for offset, row in _rows(text):
        if heading := _ATX.fullmatch(row):
            yield len(heading[1]), line(heading[2]), offset, offset + len(row)
        elif (
            (under := _UNDERLINE.fullmatch(row))
            and not _NO_PARAGRAPH.match(before)
            and at + len(before) + 1 == offset
        ):
            yield 1 if under[1][0] == "=" else 2, line(before), at, offset + len(row)
        before, at = row, offset


def _end(found: list[_Heading], place: int, length: int) -> int:
    level = found[place][0]
    later = (start for other, _, start, _ in found[place + 1 :] if other <= level)
    return next(later, length)
