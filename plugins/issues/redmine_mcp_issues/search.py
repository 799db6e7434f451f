"""What a search found: one line per issue, and how many there are in all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Result, line

PAGE = 25
MOST_WORDS = 5

_TITLE = re.compile(r"(?P<tracker>.+?) #\d+ \((?P<status>.+?)\): (?P<subject>.*)", re.DOTALL)
"""An issue's title in a search result (app/models/issue.rb, acts_as_event)."""

_WORD = re.compile(r'"[^"]+"|\S+')
_HAN = re.compile(r"[\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def words_of(query: str) -> tuple[list[str], list[str]]:
    """The words that Redmine searches for, and those that it drops without a word.

    A word is what stands between blanks or quotes, such as ``C++``. Dropped are words of one
    letter, but for Chinese ones, and all beyond the fifth (lib/redmine/search.rb, ``tokens``).
    """
    words = list(dict.fromkeys(word.strip('" ') for word in _WORD.findall(query)))
    taken = [word for word in words if len(word) > 1 or _HAN.match(word)][:MOST_WORDS]
    return taken, [word for word in words if word not in taken]


class Hit(BaseModel):
    """An issue that was found."""

    id: int
    subject: str
    tracker: str = ""
    status: str = ""
    on: str = ""
    """The day of the issue's creation, or of the comment that matched."""


class SearchHits(Result):
    """A page of what was found."""

    total: int
    hits: list[Hit]
    page: int = 1
    words_left_out: tuple[str, ...] = ()
    """What was asked for and Redmine does not search for."""

    def text(self) -> str:
        return "\n".join([self._found(), *self._left_out()])

    def _left_out(self) -> Iterator[str]:
        if self.words_left_out:
            words = ", ".join(f"“{word}”" for word in self.words_left_out)
            yield (
                f"Not searched for: {words}. Redmine takes {MOST_WORDS} words, of two letters or "
                "more each."
            )

    def _found(self) -> str:
        if not self.total:
            return "Nothing found."
        if not self.hits:
            return f"{self.total} found, but page {self.page} is past the last."
        first = (self.page - 1) * PAGE + 1
        last = first + len(self.hits) - 1
        rows = [f"#{hit.id} {hit.tracker}, {hit.status}: {hit.subject}" for hit in self.hits]
        body = Quotation().enclose("\n".join(rows))
        more = f"; next: page={self.page + 1}" if last < self.total else ""
        return f"{body}\n{first}-{last} of {self.total}{more}"


def hits_from(answer: dict[str, Any], *, page: int, left_out: Sequence[str] = ()) -> SearchHits:
    """Read Redmine's answer. A search that it does not run at all has a total of null."""
    return SearchHits(
        total=answer.get("total_count") or 0,
        hits=[_hit(result) for result in answer.get("results", ())],
        page=page,
        words_left_out=tuple(line(word)[:40] for word in left_out[:MOST_WORDS]),
    )


def _hit(result: dict[str, Any]) -> Hit:
    title = _TITLE.fullmatch(result["title"])
    parts = title.groupdict() if title else {"subject": result["title"]}
    return Hit(
        id=result["id"],
        on=str(result.get("datetime", ""))[:10],
        **{name: line(value) for name, value in parts.items()},
    )
