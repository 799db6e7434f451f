"""A task together with all it needs to know, within a budget.

A prompt may be used in a client that has no tools, or others than ours: so it names none, and what
it does not hold is said to be missing rather than where to fetch it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redmine_mcp_core import Quotation, shorten
from redmine_mcp_prompts.plugin import plugin

BUDGET = 8_000
"""Bytes of a whole prompt; what the person typed comes on top of it."""
_KEPT_FREE = 300
"""Bytes for the marks and for saying what was left out."""
CUT = " […]"

GROUND_RULES = (
    f"All you need is between the marks below;{CUT} stands where a long text was cut. "
    "Add no fact that is not there, and change nothing in Redmine."
)


@dataclass(frozen=True, slots=True)
class Section:
    """Some rows of one kind, the most important first."""

    title: str
    """The server's own words: it also stands outside of the marks."""
    rows: Sequence[str]
    total: int | None = None
    """How many there are in Redmine, where not all were read."""
    hidden: bool = False
    """Whether Redmine does not show them to the caller."""

    @property
    def size(self) -> int:
        return sum(_size(row) for row in self.rows)


def briefing(task: str, *sections: Section, after: str = "") -> str:
    """The task, the sections within the budget, and what of them was left out.

    Short sections are whole, and the long ones share the rest alike. ``after`` follows uncut.
    """
    task = f"{task} {GROUND_RULES}"
    spent = _KEPT_FREE + _size(task) + sum(_size(section.title) + 12 for section in sections)
    shares = _shares([section.size for section in sections], max(0, BUDGET - spent))
    kept = [_within(one.rows, share) for one, share in zip(sections, shares, strict=True)]
    told = [
        "\n".join([f"{one.title}:", *rows])
        for one, rows in zip(sections, kept, strict=True)
        if not one.hidden
    ]
    missing = "\n".join(_missing(sections, kept))
    parts = [task, Quotation().enclose("\n\n".join(told)), missing]
    text = plugin.measured("\n\n".join(part for part in parts if part))
    return f"{text}\n\n{after}" if after else text


def excerpt(text: str, most: int) -> str:
    """The text cut at a word within ``most`` bytes, and marked where it was cut."""
    data = text.encode()
    if len(data) <= most:
        return text
    head = data[: max(0, most - len(CUT.encode()))].decode(errors="ignore")
    return shorten(head, len(head) - 1)[0] + CUT if head else ""


def _missing(sections: Sequence[Section], kept: Sequence[Sequence[str]]) -> Iterator[str]:
    for section, rows in zip(sections, kept, strict=True):
        total = len(section.rows) if section.total is None else section.total
        if section.hidden:
            yield f"“{section.title}” is left out: Redmine does not show it to you."
        elif len(rows) < total:
            yield f"“{section.title}” has {total} entries, of which {len(rows)} are here."


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    shares = [0] * len(sizes)
    for place, index in enumerate(sorted(range(len(sizes)), key=lambda at: sizes[at])):
        shares[index] = min(sizes[index], room // (len(sizes) - place))
        room -= shares[index]
    return shares


def _within(rows: Sequence[str], share: int) -> list[str]:
    kept: list[str] = []
    for row in rows:
        size = _size(row)
        if size > share and kept:
            break
        kept.append(excerpt(row, share))
        share -= size
    return kept if rows else ["none"]


def _size(text: str) -> int:
    return len(text.encode()) + 1  # its line end
