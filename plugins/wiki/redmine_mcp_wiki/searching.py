"""The tool that searches a wiki.

Redmine looks for words in the title and the newest text of a page, wherever in them they stand; it
does not look into older versions and comments, and tells the day a page was made and not that of
its last change (app/models/wiki_page.rb, ``acts_as_searchable`` and ``acts_as_event``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import BaseModel, Field

from redmine_mcp_core import (
    MOST_SEARCH_WORDS,
    BadArgument,
    CurrentRedmine,
    Forbidden,
    Redmine,
    Result,
    line,
    not_searched,
    page_of,
    search_words,
)
from redmine_mcp_wiki.listing import Page
from redmine_mcp_wiki.pages import NO_WIKI, SEES, Project, index_of
from redmine_mcp_wiki.plugin import plugin

PAGE = 25
EXCERPT = 160
"""Characters of a text that are told around the first word found in it."""


class WikiHit(BaseModel):
    """A page that was found, and the passage in which."""

    title: str
    excerpt: str = ""


class WikiHits(Result):
    """A page of what was found."""

    total: int
    hits: list[WikiHit]
    page: int = 1
    words_left_out: tuple[str, ...] = ()
    """What was asked for and Redmine does not search for."""

    def text(self) -> str:
        return "\n".join(filter(None, [self._found(), not_searched(self.words_left_out)]))

    def _found(self) -> str:
        if not self.total:
            return "Nothing found."
        rows = [f"{hit.title}: {hit.excerpt}" if hit.excerpt else hit.title for hit in self.hits]
        return page_of(rows, shown=len(rows), total=self.total, page=self.page, size=PAGE)


@plugin.tool(title="Search a wiki", scopes=SEES | {"search_project"}, read_only=True, listed=False)
async def search_wiki(
    project: Project,
    query: Annotated[str, Field(description='Words or parts of words; "…" for a phrase')],
    titles_only: bool = False,
    any_word: Annotated[bool, Field(description="Any of the words, not all")] = False,
    page: Page = 1,
    redmine: Redmine = CurrentRedmine(),
) -> WikiHits:
    """Find pages of a project's wiki by words in their title and text, newest page first."""
    words, left_out = search_words(query)
    if not words:
        raise BadArgument("Redmine searches for words of two letters or more: query has none.")
    found = await redmine.project(project)
    answer = await redmine.get(
        f"/projects/{found['id']}/search.json",
        q=query,
        wiki_pages=1,
        titles_only=1 if titles_only else None,
        # Redmine takes an absent all_words as yes, and an empty one as no.
        all_words="" if any_word else None,
        limit=PAGE,
        offset=(page - 1) * PAGE,
    )
    results = answer.get("results", [])
    if any(result["type"] != "wiki-page" for result in results):
        # Where it may not look into the wiki, Redmine searches for everything else instead.
        raise Forbidden(NO_WIKI)
    if not results:
        await index_of(redmine, found)  # or is it that there is no wiki?
    return WikiHits(
        total=answer.get("total_count") or 0,
        hits=[_hit(result, words) for result in results],
        page=page,
        words_left_out=tuple(line(word)[:40] for word in left_out[:MOST_SEARCH_WORDS]),
    )


def _hit(result: dict[str, Any], words: Sequence[str]) -> WikiHit:
    # The title has a word of the caller's language before it; the address has the title alone.
    title = unquote(result["url"].rpartition("/")[2])
    return WikiHit(title=line(title), excerpt=_excerpt(line(result.get("description")), words))


def _excerpt(text: str, words: Sequence[str]) -> str:
    """What stands around the first of the words, or the beginning of the text."""
    lowered = text.casefold()
    places = [place for word in words if (place := lowered.find(word.casefold())) >= 0]
    start = max(min(places, default=0) - EXCERPT // 3, 0)
    end = start + EXCERPT
    return f"{'…' if start else ''}{text[start:end].strip()}{'…' if end < len(text) else ''}"
