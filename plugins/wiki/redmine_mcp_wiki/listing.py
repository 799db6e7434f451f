"""The tool that lists a wiki's pages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, Field

from redmine_mcp_core import CurrentRedmine, Redmine, Result, line, page_of
from redmine_mcp_wiki.pages import SEES, Project, Record, index_of, parent_of
from redmine_mcp_wiki.plugin import plugin

PAGE = 100

Page = Annotated[int, Field(ge=1, le=10_000)]


class ListedPage(BaseModel):
    """A page of a wiki, without its text."""

    title: str
    depth: int = 0
    """How many pages stand above it."""
    parent: str = ""
    version: int
    updated_on: str

    def row(self) -> str:
        return f"{'  ' * self.depth}{self.title} v{self.version} {self.updated_on[:10]}"


class PageList(Result):
    """Some of a wiki's pages."""

    total: int
    pages: list[ListedPage]
    page: int = 1

    def text(self) -> str:
        if not self.total:
            return "This wiki has no pages yet."
        # Below another line, so that the first one keeps its indentation.
        lines = ["Pages:", *(one.row() for one in self.pages)]
        shown = len(self.pages)
        return page_of(lines, shown=shown, total=self.total, page=self.page, size=PAGE)


@plugin.tool(title="List wiki pages", scopes=SEES, read_only=True, listed=False)
async def list_wiki_pages(
    project: Project,
    newest_first: Annotated[bool, Field(description="By last change, not as a tree")] = False,
    page: Page = 1,
    redmine: Redmine = CurrentRedmine(),
) -> PageList:
    """List the pages of a project's wiki as a tree: title, version, day of the last change."""
    found = await index_of(redmine, await redmine.project(project))
    if newest_first:
        by_change = sorted(found, key=lambda one: str(one["updated_on"]), reverse=True)
        pages = [(0, one) for one in by_change]
    else:
        pages = list(in_tree(found))
    return PageList(
        total=len(pages),
        page=page,
        pages=[
            ListedPage(
                title=line(one["title"]),
                depth=depth,
                parent=parent_of(one),
                version=one["version"],
                updated_on=one["updated_on"],
            )
            for depth, one in pages[(page - 1) * PAGE : page * PAGE]
        ],
    )


def in_tree(pages: list[Record]) -> Iterator[tuple[int, Record]]:
    """Each page under the one above it, with its depth; otherwise in the order they came."""
    titles = {one["title"] for one in pages}
    under: dict[str, list[Record]] = defaultdict(list)
    for one in pages:
        parent = (one.get("parent") or {}).get("title", "")
        under[parent if parent in titles else ""].append(one)
    waiting = [(0, one) for one in reversed(under[""])]
    while waiting:
        depth, one = waiting.pop()
        yield depth, one
        waiting += [(depth + 1, child) for child in reversed(under.pop(one["title"], []))]


def below(pages: list[Record], title: str) -> list[Record]:
    """The pages under one, at any depth."""
    found: list[Record] = []
    above = {title}
    for _, one in in_tree(pages):
        if (one.get("parent") or {}).get("title") in above:
            above.add(one["title"])
            found.append(one)
    return found
