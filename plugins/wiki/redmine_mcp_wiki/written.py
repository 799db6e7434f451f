"""What became of a page that was written, and how its text differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from itertools import islice
from typing import Literal, NamedTuple

from redmine_mcp_core import Quotation, Result, line, visible

SHOWN_LINES = 60
COMPARED_LINES = 3_000
"""Beyond so many lines the difference is counted and not shown: it would take seconds."""
LINE_CHARACTERS = 300


class Difference(NamedTuple):
    """How a text differs from what it was."""

    new: int
    gone: int
    shown: str = ""


def difference(before: str, after: str, *, shown: bool) -> Difference:
    """How many lines are new and gone; on request the lines, as a unified diff."""
    old, new = before.splitlines(), after.splitlines()
    told = ""
    if shown and len(old) + len(new) <= COMPARED_LINES:
        rows = islice(unified_diff(old, new, n=1, lineterm=""), 2, SHOWN_LINES + 3)
        cut = [visible(row)[:LINE_CHARACTERS] for row in rows]
        told = "\n".join([*cut[:SHOWN_LINES], *(["…"] if len(cut) > SHOWN_LINES else [])])
    return Difference(
        new=(Counter(new) - Counter(old)).total(),
        gone=(Counter(old) - Counter(new)).total(),
        shown=told,
    )


Outcome = Literal["created", "changed", "unchanged", "deleted", "dry run"]


class WrittenPage(Result):
    """What became of a page."""

    outcome: Outcome
    project: str
    title: str
    url: str = ""
    version: int | None = None
    version_before: int | None = None
    title_before: str = ""
    """Its former title, where it has a new one."""
    parent: str = ""
    parent_before: str = ""
    """The page that it stood under, where that is another."""
    lines_new: int = 0
    lines_gone: int = 0
    difference: str = ""
    """On a dry run, how the text would differ: a unified diff."""
    children: tuple[str, ...] = ()
    """What stood below a page that was deleted."""
    dropped: tuple[str, ...] = ()
    """What was asked for and did not come about, without a word from Redmine."""
    note: str = ""
    """In the server's own words alone."""

    def text(self) -> str:
        quoted = Quotation().enclose("\n".join(filter(None, self._lines())))
        return "\n".join([self._verdict(), quoted, *self._said()])

    def _verdict(self) -> str:
        lines = f"lines: {self.lines_new} new, {self.lines_gone} gone"
        match self.outcome:
            case "dry run":
                return f"Dry run, nothing was written; {lines}."
            case "created":
                return f"Page created, version {self.version}."
            case "changed" if self.version != self.version_before:
                return f"Page changed, version {self.version_before} -> {self.version}; {lines}."
            case _:
                return f"Page {self.outcome}."

    def _lines(self) -> Iterator[str]:
        yield f"{self.title_before} -> {self.title}" if self.title_before else self.title
        if self.parent_before:
            yield f"Under: {self.parent_before} -> {self.parent or 'none'}"
        elif self.parent:
            yield f"Under: {self.parent}"
        if self.children:
            yield f"Below it: {', '.join(map(line, self.children))}"
        yield self.url
        if self.difference:
            yield f"\n{self.difference}"

    def _said(self) -> Iterator[str]:
        if self.dropped:
            yield f"Silently dropped: {'; '.join(self.dropped)}."
        if self.note:
            yield self.note
