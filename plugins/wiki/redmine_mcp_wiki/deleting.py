"""The tool that deletes a page, after the person was asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from redmine_mcp_core import (
    Conflict,
    CurrentRedmine,
    Forbidden,
    NotDeleted,
    Redmine,
    confirmed,
    line,
    quoted,
)
from redmine_mcp_wiki.listing import below
from redmine_mcp_wiki.pages import SEES, Project, Record, index_of, no_page, path_of, same
from redmine_mcp_wiki.plugin import plugin
from redmine_mcp_wiki.written import WrittenPage

CHILDREN_TOLD = 20


@plugin.tool(
    title="Delete a wiki page",
    scopes=SEES | {"delete_wiki_pages"},
    optional_scopes={"protect_wiki_pages"},
    destroys=True,
    listed=False,
)
async def delete_wiki_page(
    project: Project,
    title: str,
    children: Annotated[
        Literal["keep", "delete"], Field(description="The pages below: kept, those come to the top")
    ] = "keep",
    confirm: bool = False,
    redmine: Redmine = CurrentRedmine(),
) -> WrittenPage:
    """Delete a wiki page with its versions and files. Asks the person first."""
    found = await redmine.project(project)
    page, under = await _standing(redmine, found, title)
    await confirmed(_question(found, page, under, children), confirm=confirm)
    if await _standing(redmine, found, title) != (page, under):
        raise Conflict("This has changed since the question was asked. Nothing was done.")
    todo = ("destroy" if children == "delete" else "nullify") if under else None
    try:
        await redmine.delete(path_of(found, page["title"]), todo=todo)
    except Forbidden as error:
        if error.code != Forbidden.code:
            raise
        raise Forbidden("You may not delete this page: your role, or it is protected.") from None
    if any(same(one["title"], page["title"]) for one in await index_of(redmine, found)):
        raise NotDeleted("the page")
    return WrittenPage(
        outcome="deleted",
        project=found["identifier"],
        title=line(page["title"]),
        children=tuple(line(one["title"]) for one in under),
        note=_fate(len(under), children),
    )


async def _standing(redmine: Redmine, project: Record, title: str) -> tuple[Record, list[Record]]:
    """The page and all below it, without texts. Raises ``BadArgument`` with the right titles."""
    pages = await index_of(redmine, project)
    for page in pages:
        if same(page["title"], title):
            return page, below(pages, page["title"])
    raise await no_page(redmine, project, title)


def _question(project: Record, page: Record, under: list[Record], children: str) -> str:
    told = [f"{line(page['title'])} of {line(project['name'])}, version {page['version']}"]
    told += [f"below it: {line(one['title'])}" for one in under[:CHILDREN_TOLD]]
    return (
        "Delete this wiki page with all its versions and files for good? "
        f"{_fate(len(under), children, ahead=True)}\n{quoted(chr(10).join(told))}"
    )


def _fate(below: int, children: str, *, ahead: bool = False) -> str:
    """What becomes, or became, of the pages below."""
    if not below:
        return "No page is below it." if ahead else ""
    if children == "delete":
        return f"Pages below it that {'go' if ahead else 'went'} too: {below}."
    stay = "stay" if ahead else "stayed"
    return f"Pages below it that {stay}: {below}; its own children have no page above them then."
