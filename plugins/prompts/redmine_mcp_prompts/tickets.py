"""One issue, for somebody who has never seen it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import CurrentRedmine, Forbidden, NotFound, Redmine, line, visible
from redmine_mcp_prompts.briefing import Section, briefing
from redmine_mcp_prompts.finding import issue_number
from redmine_mcp_prompts.plugin import plugin
from redmine_mcp_prompts.rows import (
    issue_row,
    journal_rows,
    minute,
    name_of,
    people_in,
    statuses_in,
)

MOST_JOURNALS = 100
MOST_LINKED = 30


@plugin.prompt(title="Summarize a ticket")
async def summarize_ticket(
    issue_id: Annotated[str, Field(description="The number of the issue")],
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Sum up an issue for somebody who has never seen it: state, decisions, what is open."""
    number = issue_number(issue_id)
    try:
        answer = await redmine.get(f"/issues/{number}.json", include="journals,children,relations")
    except (NotFound, Forbidden):
        raise NotFound(f"Issue #{number}") from None
    issue = answer["issue"]
    journals = issue.get("journals", [])
    newest = list(reversed(journals))[:MOST_JOURNALS]
    statuses = await statuses_in(redmine, newest)
    description = visible(issue.get("description") or "").strip()
    return briefing(
        f"Sum up Redmine issue #{number} for somebody who has never seen it, in at most ten "
        "lines: what it is about, where it stands, what was decided and by whom, what is still "
        "open, and who has to do what next.",
        Section("Issue", [*_head(issue)]),
        Section("Description", [description] if description else []),
        Section(
            "Comments and changes, newest first",
            [*journal_rows(newest, statuses, people_in(issue))],
            len(journals),
        ),
    )


def _head(issue: dict[str, Any]) -> Iterator[str]:
    yield issue_row(issue)
    facts = {
        "by": name_of(issue, "author"),
        "created": minute(issue["created_on"]),
        "updated": minute(issue["updated_on"]),
        "closed": minute(issue.get("closed_on") or ""),
        "category": name_of(issue, "category"),
        "version": name_of(issue, "fixed_version"),
        "starts": issue.get("start_date"),
        "% done": issue.get("done_ratio"),
        "hours estimated": issue.get("estimated_hours"),
        "hours spent": issue.get("spent_hours"),
    }
    yield ", ".join(f"{fact} {value}" for fact, value in facts.items() if value)
    for field in issue.get("custom_fields", ()):
        value = field.get("value")
        if told := line(", ".join(value) if isinstance(value, list) else str(value or "")):
            yield f"{line(field['name'])}: {told}"
    linked = [
        *(f"subtask #{one['id']} {line(one.get('subject'))}" for one in issue.get("children", ())),
        *(_relation(one, issue["id"]) for one in issue.get("relations", ())),
    ]
    more = len(linked) - MOST_LINKED
    yield from linked[:MOST_LINKED]
    if more > 0:
        yield f"and {more} more subtasks and relations"


_OTHER_SIDE = {"blocks": "blocked by", "precedes": "follows", "duplicates": "duplicated by"}
"""How a relation reads from its other end (app/models/issue_relation.rb, TYPES)."""


def _relation(relation: dict[str, Any], issue_id: int) -> str:
    kind = relation["relation_type"]
    if relation["issue_id"] == issue_id:
        return f"{kind.replace('_', ' ')} #{relation['issue_to_id']}"
    return f"{_OTHER_SIDE.get(kind, kind.replace('_', ' '))} #{relation['issue_id']}"
