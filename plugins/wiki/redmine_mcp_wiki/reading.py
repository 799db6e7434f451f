"""The tool that reads a page: all of it, a section, or a part of a long one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, Field

from redmine_mcp_core import (
    BadArgument,
    CurrentRedmine,
    Quotation,
    Redmine,
    Result,
    cut_text,
    line,
    readable,
)
from redmine_mcp_wiki.pages import SEES, Project, Record, page_of, parent_of, told_as, url_of
from redmine_mcp_wiki.plugin import plugin
from redmine_mcp_wiki.sections import HEADINGS_TOLD, code_open_at, section_of, sections_of

TEXT_CHARACTERS = 6_000
"""How much of a page one answer holds."""


class File(BaseModel):
    """An attachment of a page."""

    id: int
    filename: str
    bytes: int
    description: str = ""


class WikiPage(Result):
    """A page, or a part of it."""

    project: str
    title: str
    url: str
    version: int
    parent: str = ""
    author: str = ""
    comment: str = ""
    """What the author said of this version."""
    created_on: str
    updated_on: str
    attachments: tuple[File, ...] = ()
    body: str
    """The text in the wiki's markup."""
    start: int = 0
    """How many characters of the page, or of the section, stand before ``body``."""
    characters: int
    """How many the page, or the section, has."""
    next_start: int | None = None
    """Where to read on; None where ``body`` reaches the end."""
    headings: tuple[str, ...] = ()
    """The headings that begin behind ``body``."""

    def text(self) -> str:
        quoted = Quotation().enclose("\n".join(self._lines()))
        return "\n".join([quoted, *self._left_out()])

    def _lines(self) -> Iterator[str]:
        by = f" by {self.author}" if self.author else ""
        said = f": {self.comment}" if self.comment else ""
        yield f"{self.title} · version {self.version}, {self.updated_on[:10]}{by}{said}"
        if self.parent:
            yield f"Under: {self.parent}"
        if self.attachments:
            files = (f"{file.filename} ({file.bytes} B, id {file.id})" for file in self.attachments)
            yield f"Files: {'; '.join(files)}"
        yield f"\n{self.body}"
        if self.headings:
            yield f"\nHeadings that follow: {'; '.join(self.headings)}"

    def _left_out(self) -> Iterator[str]:
        if self.start or self.next_start:
            end = self.next_start or self.characters
            yield f"Characters {self.start + 1}-{end} of {self.characters}."
        if self.next_start:
            yield f"To read on, call again with start={self.next_start}, or with section=a heading."


@plugin.tool(
    title="Read a wiki page",
    scopes=SEES,
    optional_scopes={"view_wiki_edits"},
    read_only=True,
    listed=False,
)
async def get_wiki_page(
    project: Project,
    title: Annotated[str | None, told_as("string", "Without one, the start page")] = None,
    section: Annotated[str | None, told_as("string", "Only this section: its heading")] = None,
    version: Annotated[int | None, Field(ge=1), told_as("integer", "An older one")] = None,
    start: Annotated[int, Field(ge=0, description="Character to begin at")] = 0,
    redmine: Redmine = CurrentRedmine(),
) -> WikiPage:
    """Read a page of a project's wiki, now or as it was: text, author, attachments."""
    return await read_page(redmine, project, title, section=section, version=version, start=start)


async def read_page(
    redmine: Redmine,
    project: str,
    title: str | None,
    *,
    section: str | None = None,
    version: int | None = None,
    start: int = 0,
) -> WikiPage:
    """A page by title, as much of it as one answer holds.

    Raises ``BadArgument`` with the titles or headings there are, and ``RedmineError``.
    """
    found = await redmine.project(project)
    if version and not title:
        title = (await page_of(redmine, found))["title"]
    page = await page_of(redmine, found, title, version)
    text = readable(page["text"])
    if section:
        chosen = section_of(text, section)
        text = text[chosen.start : chosen.end].rstrip()
    if start and start >= len(text):
        raise BadArgument(f"There are {len(text)} characters, so start is beyond the end.")
    return WikiPage(
        project=found["identifier"],
        title=line(page["title"]),
        url=url_of(redmine, found, page["title"]),
        version=page["version"],
        parent=parent_of(page),
        author=line((page.get("author") or {}).get("name")),
        comment=line(page.get("comments")),
        created_on=page["created_on"],
        updated_on=page["updated_on"],
        attachments=tuple(map(_file, page.get("attachments", ()))),
        **_part(text, start),
    )


def _part(text: str, start: int) -> dict[str, Any]:
    """As much of a text as one answer holds, and what follows. Code reads as code all through."""
    rest = text[start:]
    opened = code_open_at(text, start)
    beginning = f"{opened}\n" if opened else ""
    shown, left_out = cut_text(beginning + rest, TEXT_CHARACTERS + len(beginning))
    behind = len(text) - left_out
    headings = [one.heading for one in sections_of(text) if one.start >= behind]
    more = len(headings) - HEADINGS_TOLD
    return {
        "body": shown,
        "start": start,
        "characters": len(text),
        "next_start": behind if left_out else None,
        "headings": (*headings[:HEADINGS_TOLD], *([f"{more} more"] if more > 0 else ())),
    }


def _file(attachment: Record) -> File:
    return File(
        id=attachment["id"],
        filename=line(attachment["filename"]),
        bytes=attachment["filesize"],
        description=line(attachment.get("description")),
    )
