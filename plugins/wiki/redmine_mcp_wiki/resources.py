"""Wiki pages as resources, for clients that attach them to a conversation."""

from __future__ import annotations

from collections.abc import Mapping

from redmine_mcp_core import CurrentRedmine, Redmine, line
from redmine_mcp_wiki.pages import index_of
from redmine_mcp_wiki.plugin import plugin
from redmine_mcp_wiki.reading import read_page


@plugin.resource(
    "redmine://wiki/{project}/{title}",
    name="wiki_page",
    title="A wiki page",
    mime_type="text/plain",
)
async def wiki_page(project: str, title: str, redmine: Redmine = CurrentRedmine()) -> str:
    """A page of a project's wiki: its text, who wrote it, and its attachments."""
    return (await read_page(redmine, project, title)).text()


@plugin.completes("title")
async def titles(prefix: str, redmine: Redmine, given: Mapping[str, str]) -> list[str]:
    """Titles of the given project's wiki that begin so, and those that hold it."""
    if not (project := given.get("project")):
        return []
    wanted = prefix.strip().replace(" ", "_").casefold()
    found = [
        line(page["title"]) for page in await index_of(redmine, await redmine.project(project))
    ]
    fitting = [title for title in found if wanted in title.casefold()]
    return sorted(fitting, key=lambda title: not title.casefold().startswith(wanted))
