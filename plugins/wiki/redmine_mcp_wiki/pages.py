"""From what a person calls a wiki page to Redmine's record of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import (
    BadArgument,
    Forbidden,
    NotFound,
    Redmine,
    RedmineError,
    Unreadable,
    line,
)

TITLES_TOLD = 30
"""How many titles an error names, those like the wanted one first."""

SEES = frozenset({"view_project", "view_wiki_pages"})
"""The scopes without which nobody reads a wiki."""

Record = dict[str, Any]

Project = Annotated[str, Field(description="Identifier, name or id")]


def told_as(kind: str, description: str) -> WithJsonSchema:
    """The schema of an argument that may be left out: that null will do is not worth its bytes."""
    return WithJsonSchema({"type": kind, "description": description})


_BLANKS = re.compile(r"[ \t\n\v\f\r]+")
_NOT_IN_TITLES = str.maketrans("", "", ",./?;|:")
Elsewhere = Unreadable
"""Asked for the former title of a page, Redmine answers with the address that it has now."""

NO_WIKI = "This project has no wiki, or you may not see it."


def title_of(wanted: str) -> str:
    """A title as Redmine keeps it (app/models/wiki.rb, ``titleize``).

    Raises ``BadArgument`` for one of which nothing would be left.
    """
    kept = _BLANKS.sub("_", wanted.strip()).translate(_NOT_IN_TITLES)
    if not kept:
        raise BadArgument("A page's title needs a letter or a digit.")
    return kept[:1].upper() + kept[1:]


def same(one: str, other: str) -> bool:
    """Whether two titles are those of one page: Redmine takes no notice of case."""
    return title_of(one).casefold() == title_of(other).casefold()


def path_of(project: Record, title: str | None = None, version: int | None = None) -> str:
    """Where a page is read and written; without a title, the start page."""
    parts = [f"/projects/{project['id']}/wiki"]
    if title is not None:
        parts.append(quote(title_of(title), safe=""))
        if version:
            parts.append(str(version))
    return f"{'/'.join(parts)}.json"


def url_of(redmine: Redmine, project: Record, title: str) -> str:
    """Where people read a page."""
    return f"{redmine.url}/projects/{project['identifier']}/wiki/{quote(title, safe='')}"


async def index_of(redmine: Redmine, project: Record) -> list[Record]:
    """Every page of a wiki, without texts: Redmine does not page this list.

    Raises ``Forbidden`` where there is no wiki to see, and ``RedmineError``.
    """
    try:
        answer = await redmine.get(f"/projects/{project['id']}/wiki/index.json")
    except (NotFound, Forbidden) as error:
        raise _no_wiki(error) from None
    pages: list[Record] = answer["wiki_pages"]
    return pages


async def page_of(
    redmine: Redmine, project: Record, title: str | None = None, version: int | None = None
) -> Record:
    """A page with its text and its attachments; without a title, the start page.

    Raises ``BadArgument`` with the titles there are, ``Forbidden``, and ``RedmineError``.
    """
    try:
        return await _read(redmine, path_of(project, title, version))
    except (NotFound, Elsewhere) as error:
        if version and isinstance(error, NotFound):
            newest = (await page_of(redmine, project, title))["version"]
            raise BadArgument(
                f"This page has no version {version}; its newest is {newest}."
            ) from None
        renamed = isinstance(error, Elsewhere)
        raise await no_page(redmine, project, title, renamed=renamed) from None
    except Forbidden as error:
        if version and error.code == Forbidden.code:
            raise Forbidden(
                "You may not see this wiki, or not what its pages said before (view_wiki_edits)."
            ) from None
        raise _no_wiki(error) from None


async def page_or_none(redmine: Redmine, project: Record, title: str) -> Record | None:
    """A page, or None where there is none of this title. Raises as ``page_of``."""
    try:
        return await _read(redmine, path_of(project, title))
    except NotFound:
        return None
    except Elsewhere:
        raise await no_page(redmine, project, title, renamed=True) from None
    except Forbidden as error:
        raise _no_wiki(error) from None


async def no_page(
    redmine: Redmine, project: Record, title: str | None, *, renamed: bool = False
) -> BadArgument:
    """The error that names the titles there are, those like the wanted one first."""
    titles = [page["title"] for page in await index_of(redmine, project)]
    if not titles:
        return BadArgument("This wiki has no pages yet.")
    told = named(titles, title)
    if title is None:
        return BadArgument("This wiki has no start page. There are: ", told, ".")
    fate = " was renamed or moved. There are: " if renamed else " is no page here. There are: "
    return BadArgument("", line(title)[:80], fate, told, ".")


def named(titles: Iterable[str], wanted: str | None = None) -> str:
    """Some titles in a sentence, those like the wanted one first."""
    by_key = {title.casefold(): line(title) for title in titles}
    like = get_close_matches((wanted or "").casefold().replace(" ", "_"), by_key, 5, 0.5)
    ordered = [by_key[key] for key in dict.fromkeys([*like, *by_key])]
    more = len(ordered) - TITLES_TOLD
    return ", ".join(ordered[:TITLES_TOLD]) + (f" and {more} more" if more > 0 else "")


def parent_of(page: Record) -> str:
    """The title of the page above, or an empty text."""
    return line((page.get("parent") or {}).get("title"))


async def _read(redmine: Redmine, path: str) -> Record:
    page: Record = (await redmine.get(path, include="attachments"))["wiki_page"]
    return page


def _no_wiki(error: RedmineError) -> RedmineError:
    plain = error.code in (NotFound.code, Forbidden.code)
    return Forbidden(NO_WIKI) if plain else error
