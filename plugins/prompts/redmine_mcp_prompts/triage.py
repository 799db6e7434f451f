"""What came in and belongs to nobody yet."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import CurrentRedmine, Redmine, line
from redmine_mcp_prompts.briefing import Section, briefing
from redmine_mcp_prompts.finding import few, find_project, if_shown, issues, without
from redmine_mcp_prompts.plugin import plugin
from redmine_mcp_prompts.rows import issue_row, minute, name_of, with_text

MOST_ISSUES = 25
DESCRIPTION_BYTES = 300


@plugin.prompt(title="Triage new issues")
async def triage(
    project: Annotated[str, Field(description="Identifier or name of the project")],
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Go through the new and the unassigned issues of a project: what, how urgent, for whom."""
    here = await find_project(redmine, project, "trackers,issue_categories")
    of_project: dict[str, Any] = {
        "project": here,
        # Redmine adds the subprojects unless told otherwise; their categories are others.
        "subproject_id": "!*",
        "sort": "priority:desc,created_on",
        "limit": MOST_ISSUES,
    }
    trackers = await redmine.get("/trackers.json")
    first = sorted({one["default_status"]["id"] for one in trackers["trackers"]})
    new, unassigned = await few(
        issues(redmine, status_id="|".join(map(str, first)), **of_project),
        issues(redmine, status_id="open", assigned_to_id="!*", **of_project),
    )
    priorities, versions, members = await few(
        redmine.names("issue_priorities"),
        if_shown(redmine.names("versions", here["id"])),
        if_shown(redmine.names("members", here["id"])),
    )
    shown = {issue["id"] for issue in new["issues"]}
    others = without(unassigned["issues"], shown)
    doubled = len(unassigned["issues"]) - len(others)

    def told(found: list[dict[str, Any]]) -> list[str]:
        return [_row(issue, here) for issue in found]

    return briefing(
        f"Triage the issues of the Redmine project {here['identifier']} that are new or that "
        "nobody has. One line each, the most urgent first: number, what it is in a few words, "
        "and the tracker, priority, category, version and assignee you propose, from the names "
        "below only, with the reason where it is not plain. Say which look like duplicates of "
        "each other, and which cannot be judged before a question to the author is answered: "
        "word the question.",
        Section("New", told(new["issues"]), new["total_count"]),
        Section(
            "Not new, but unassigned", told(others), max(0, unassigned["total_count"] - doubled)
        ),
        Section("Priorities, lowest first", _line(priorities)),
        Section("Trackers", _line(_by_id(here, "trackers"))),
        Section("Categories", _line(_by_id(here, "issue_categories"))),
        Section("Versions", _line(versions), hidden=versions is None),
        Section("Members", _line(members), hidden=members is None),
    )


def _row(issue: dict[str, Any], home: dict[str, Any]) -> str:
    category = name_of(issue, "category")
    said = f"{minute(issue['created_on'])[:10]} by {name_of(issue, 'author')}"
    row = f"{issue_row(issue, home=home)} ({said}{f', {category}' if category else ''})"
    return with_text(row, issue.get("description"), DESCRIPTION_BYTES)


def _by_id(project: dict[str, Any], key: str) -> dict[int, str]:
    return {item["id"]: item["name"] for item in project.get(key, ())}


def _line(names: dict[int, str] | None) -> list[str]:
    return [line(name) for name in (names or {}).values()]
