"""The tools that read one issue and search in all of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import BadArgument, CurrentRedmine, Redmine, search_words
from redmine_mcp_issues.arguments import Id
from redmine_mcp_issues.details import IssueDetails, details_from
from redmine_mcp_issues.focus import VIEWS, Focus, Include
from redmine_mcp_issues.naming import in_project
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of
from redmine_mcp_issues.search import PAGE, SearchHits, hits_from


@plugin.tool(
    title="Read an issue",
    scopes={"view_issues"},
    optional_scopes={
        "view_changesets",
        "view_issue_watchers",
        "view_members",
        "view_private_notes",
        "view_time_entries",
    },
    read_only=True,
)
async def get_issue_details(
    issue_id: Id,
    focus: Focus = "overview",
    journals: Annotated[
        int | None,
        Field(ge=0, le=1000),
        WithJsonSchema({"type": "integer", "description": "How many, newest first"}),
    ] = None,
    before: Annotated[
        int | None,
        WithJsonSchema({"type": "integer", "description": "Only journals older than this id"}),
    ] = None,
    full_text: Annotated[bool, Field(description="Do not shorten long texts")] = False,
    redmine: Redmine = CurrentRedmine(),
) -> IssueDetails:
    """Read one issue: an overview with its newest comments, or one side of it in full."""
    include: Collection[Include] = VIEWS[focus].include if before is None else {"journals"}
    issue = await issue_of(redmine, issue_id, include)
    return await details_from(
        issue, redmine, focus=focus, journals=journals, before=before, full_text=full_text
    )


@plugin.tool(title="Search issues", scopes={"search_project", "view_issues"}, read_only=True)
async def search_issues(
    query: Annotated[str, Field(max_length=500, description="Words of two letters or more")],
    project: Annotated[str, Field(description="With its subprojects")] = "",
    open_only: bool = False,
    titles_only: bool = False,
    any_word: Annotated[
        bool, Field(description="Any of the words, not all; most of them first")
    ] = False,
    page: Annotated[int, Field(ge=1, le=10_000)] = 1,
    redmine: Redmine = CurrentRedmine(),
) -> SearchHits:
    """Find issues by words in subject, description, comments and custom fields, newest first."""
    words, left_out = search_words(query)
    if not words:
        raise BadArgument("Redmine searches for words of two letters or more: query has none.")

    async def found(there: str) -> SearchHits:
        answer = await redmine.get(
            f"/projects/{there}/search.json" if there else "/search.json",
            q=query,
            issues=1,
            open_issues=1 if open_only else None,
            titles_only=1 if titles_only else None,
            # Redmine takes an absent all_words as yes, and an empty one as no.
            all_words="" if any_word else None,
            scope="subprojects" if there else None,
            limit=PAGE,
            offset=(page - 1) * PAGE,
        )
        return hits_from(answer, page=page, words=words, left_out=left_out, any_word=any_word)

    return await in_project(redmine, project, found) if project else await found("")
