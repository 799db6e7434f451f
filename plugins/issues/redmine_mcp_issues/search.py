"""What a search found: one line per issue, and how many there are in all."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from redmine_mcp_core import Quotation, Result, line

PAGE = 25

_TITLE = re.compile(r"(?P<tracker>.+?) #\d+ \((?P<status>.+?)\): (?P<subject>.*)", re.DOTALL)
"""An issue's title in a search result (app/models/issue.rb, acts_as_event)."""

_WORD = re.compile(r'"[^"]+"|\S+')
_HAN = re.compile(r"[\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def searchable(query: str) -> bool:
    """Whether Redmine would search at all: it drops words of one letter, but for Chinese ones.

    A word is what stands between blanks or quotes, such as ``C++`` (lib/redmine/search.rb).
    """
    words = (word.strip('" ') for word in _WORD.findall(query))
    return any(len(word) > 1 or _HAN.match(word) for word in words)


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

    def text(self) -> str:
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


def hits_from(answer: dict[str, Any], *, page: int) -> SearchHits:
    """Read Redmine's answer. A search that it does not run at all has a total of null."""
    return SearchHits(
        total=answer.get("total_count") or 0,
        hits=[_hit(result) for result in answer.get("results", ())],
        page=page,
    )


def _hit(result: dict[str, Any]) -> Hit:
    title = _TITLE.fullmatch(result["title"])
    parts = title.groupdict() if title else {"subject": result["title"]}
    return Hit(
        id=result["id"],
        on=str(result.get("datetime", ""))[:10],
        **{name: line(value) for name, value in parts.items()},
    )
