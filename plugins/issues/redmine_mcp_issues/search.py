"""What a search found: one line per issue, and how many there are in all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import MOST_SEARCH_WORDS, Result, line, not_searched, page_of

PAGE = 25

_TITLE = re.compile(r"(?P<tracker>.+?) #\d+ \((?P<status>.+?)\): (?P<subject>.*)", re.DOTALL)
"""An issue's title in a search result (app/models/issue.rb, acts_as_event)."""


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
    hint: str = ""
    """What else to call, where that may be meant."""

    def text(self) -> str:
        parts = [self._found(), not_searched(self.words_left_out), self.hint]
        return "\n".join(filter(None, parts))

    def _found(self) -> str:
        if not self.total:
            return "Nothing found."
        rows = [f"#{hit.id} {hit.tracker}, {hit.status}: {hit.subject}" for hit in self.hits]
        return page_of(rows, shown=len(rows), total=self.total, page=self.page, size=PAGE)


def hint_for(words: Sequence[str], *, any_word: bool, total: int) -> str:
    """A call that may be meant: a number is searched for as a word, and every word must occur."""
    if len(words) == 1 and (number := words[0].removeprefix("#")).isdecimal():
        return f"Issue {number[:9]} itself: get_issue_details(issue_id={number[:9]})"
    if len(words) > 1 and not any_word and not total:
        return "With any of the words: any_word=true"
    return ""


def hits_from(
    answer: dict[str, Any],
    *,
    page: int,
    left_out: Sequence[str] = (),
    words: Sequence[str] = (),
    any_word: bool = False,
) -> SearchHits:
    """Read Redmine's answer. A search that it does not run at all has a total of null.

    Redmine orders by time alone. Where any of several words will do, a page begins with what has
    most of them in its subject.
    """
    total = answer.get("total_count") or 0
    hits = [_hit(result) for result in answer.get("results", ())]
    if any_word:
        folded = [word.casefold() for word in words]
        hits.sort(key=lambda hit: -sum(word in hit.subject.casefold() for word in folded))
    return SearchHits(
        total=total,
        hint=hint_for(words, any_word=any_word, total=total),
        hits=hits,
        page=page,
        words_left_out=tuple(line(word)[:40] for word in left_out[:MOST_SEARCH_WORDS]),
    )


def _hit(result: dict[str, Any]) -> Hit:
    title = _TITLE.fullmatch(result["title"])
    parts = title.groupdict() if title else {"subject": result["title"]}
    return Hit(
        id=result["id"],
        on=str(result.get("datetime", ""))[:10],
        **{name: line(value) for name, value in parts.items()},
    )
