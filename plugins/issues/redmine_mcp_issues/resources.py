"""Issues as resources, for clients that attach them to a conversation."""

from __future__ import annotations

from redmine_mcp_core import CurrentRedmine, NotFound, Redmine, number_of
from redmine_mcp_issues.details import details_from
from redmine_mcp_issues.focus import VIEWS
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of


@plugin.resource(
    "redmine://issues/{issue_id}", name="issue", title="An issue", mime_type="text/plain"
)
async def issue(issue_id: str, redmine: Redmine = CurrentRedmine()) -> str:
    """An issue's fields, relations, files, description and newest comments."""
    known = number_of(issue_id)
    if not known:
        raise NotFound(f"Issue “{issue_id[:20]}”")
    answer = await issue_of(redmine, known, VIEWS["overview"].include)
    return (await details_from(answer, redmine)).text()
