"""The tools that read and search."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from redmine_mcp_core import (
    BadArgument,
    CurrentRedmine,
    Forbidden,
    NotFound,
    Redmine,
    segment,
)
from redmine_mcp_issues.details import IssueDetails, details_from
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.search import PAGE, SearchHits, hits_from, searchable

Include = Literal[
    "journals",
    "children",
    "relations",
    "attachments",
    "watchers",
    "changesets",
    "allowed_statuses",
]

DEFAULT_INCLUDE: tuple[Include, ...] = ("journals", "children", "relations", "attachments")


@plugin.tool(
    title="Read an issue",
    scopes={"view_issues"},
    optional_scopes={
        "view_changesets",
        "view_issue_watchers",
        "view_private_notes",
        "view_time_entries",
    },
    read_only=True,
)
async def get_issue_details(
    issue_id: Annotated[int, Field(ge=1)],
    include: Annotated[
        tuple[Include, ...], Field(description="What to read with it")
    ] = DEFAULT_INCLUDE,
    journals: Annotated[int, Field(ge=0, le=1000, description="How many, newest first")] = 25,
    full_text: Annotated[bool, Field(description="Do not shorten long texts")] = False,
    redmine: Redmine = CurrentRedmine(),
) -> IssueDetails:
    """Read one issue: fields, custom fields, subtasks, relations, files, newest comments."""
    try:
        answer = await redmine.get(f"/issues/{issue_id}.json", include=set(include) or None)
    except (NotFound, Forbidden):
        # Redmine tells hidden from missing (403 and 404); a caller need not learn which it was.
        raise NotFound(f"Issue #{issue_id}") from None
    return await details_from(answer["issue"], redmine, max_journals=journals, full_text=full_text)


@plugin.tool(title="Search issues", scopes={"search_project", "view_issues"}, read_only=True)
async def search_issues(
    query: Annotated[str, Field(max_length=500, description="Words of two letters or more")],
    project: Annotated[str | None, Field(description="Identifier; subprojects included")] = None,
    open_only: bool = False,
    titles_only: bool = False,
    any_word: Annotated[bool, Field(description="Any of the words, not all")] = False,
    page: Annotated[int, Field(ge=1, le=10_000)] = 1,
    redmine: Redmine = CurrentRedmine(),
) -> SearchHits:
    """Find issues by words in subject, description, comments and custom fields, newest first."""
    if not searchable(query):
        raise BadArgument("Redmine searches for words of two letters or more: query has none.")
    path = f"/projects/{segment(project)}/search.json" if project else "/search.json"
    try:
        answer = await redmine.get(
            path,
            q=query,
            issues=1,
            open_issues=1 if open_only else None,
            titles_only=1 if titles_only else None,
            # Redmine takes an absent all_words as yes, and an empty one as no.
            all_words="" if any_word else None,
            scope="subprojects" if project else None,
            limit=PAGE,
            offset=(page - 1) * PAGE,
        )
    except (NotFound, Forbidden):
        if not project:
            raise
        raise NotFound(f"Project “{project}”") from None
    return hits_from(answer, page=page)
