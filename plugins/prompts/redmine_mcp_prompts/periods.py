"""What a version brings, and what a week brought."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import CurrentRedmine, Redmine, line
from redmine_mcp_prompts.briefing import Section, briefing
from redmine_mcp_prompts.finding import day_of, few, find_project, if_shown, issues, today
from redmine_mcp_prompts.plugin import plugin
from redmine_mcp_prompts.rows import issue_row, name_of, with_text

DESCRIPTION_BYTES = 200
MOST_ISSUES = 100
MOST_OVERDUE = 25


@plugin.prompt(title="Write release notes")
async def release_notes(
    project: Annotated[str, Field(description="Identifier or name of the project")],
    version: Annotated[str, Field(description="Name of the version")],
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Write the release notes of a version from its closed issues; say what is still open."""
    here = await find_project(redmine, project)
    number = await redmine.id_of("versions", version, here["id"])
    # A version may be shared with other projects: their issues are in it too.
    of_version: dict[str, Any] = {
        "fixed_version_id": number,
        "sort": "tracker,id",
        "limit": MOST_ISSUES,
    }
    released, done, left = await few(
        redmine.get(f"/versions/{number}.json"),
        issues(redmine, status_id="closed", **of_version),
        issues(redmine, status_id="open", **of_version),
    )
    return briefing(
        f"Write the release notes of a version of the Redmine project {here['identifier']} for "
        "the people who use it: one line per closed issue that they would notice, in their words "
        "and not in the developers', with its number, grouped as new, improved and fixed; leave "
        "out what is private. Begin with two sentences on what the release is about. Then, apart "
        "from the notes and for me only: what is still open in this version, and what reads as "
        "if it were not done.",
        Section("Version", [*_version(released["version"])]),
        Section(
            "Closed issues",
            [
                with_text(issue_row(issue, home=here), issue.get("description"), DESCRIPTION_BYTES)
                for issue in done["issues"]
            ],
            done["total_count"],
        ),
        Section(
            "Open issues",
            [issue_row(issue, home=here) for issue in left["issues"]],
            left["total_count"],
        ),
    )


@plugin.prompt(title="Report on a week")
async def weekly_report(
    project: Annotated[str, Field(description="Identifier or name of the project")],
    since: Annotated[
        str, Field(description="First day, such as 2026-01-31; otherwise a week ago")
    ] = "",
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Report on a project's week: what was done, what came in, what is late, hours spent."""
    day = day_of(since, today() - timedelta(days=7))
    here = await find_project(redmine, project)
    found: dict[str, Any] = {"project": here, "limit": MOST_ISSUES}
    closed, created, late, opened = await few(
        issues(redmine, **found, status_id="closed", closed_on=f">={day}", sort="closed_on:desc"),
        issues(redmine, **found, status_id="*", created_on=f">={day}", sort="priority:desc,id"),
        issues(
            redmine,
            project=here,
            status_id="open",
            due_date=f"<={today() - timedelta(days=1)}",
            sort="due_date",
            limit=MOST_OVERDUE,
        ),
        issues(redmine, project=here, status_id="open", limit=1),
    )
    spent = await if_shown(
        redmine.get(f"/projects/{here['id']}/time_entries.json", **{"from": day}, limit=100)
    )

    def section(title: str, page: dict[str, Any]) -> Section:
        rows = [issue_row(issue, home=here) for issue in page["issues"]]
        return Section(title, rows, page["total_count"])

    return briefing(
        f"Write the report on the Redmine project {here['identifier']} for {day} to {today()}, "
        "for people who are not in the project, in at most fifteen lines: first how it stands in "
        "two sentences, then what was finished, what came in, what is late or blocked and what "
        "that puts at risk, and what needs a decision. Name issue numbers. Tell numbers only "
        "where they say something.",
        Section("Project", [line(here["name"]), f"{opened['total_count']} issues are open"]),
        section("Closed", closed),
        section("Created", created),
        section("Overdue, oldest first", late),
        Section(
            "Hours spent",
            _hours(spent["time_entries"]) if spent else [],
            spent["total_count"] if spent and spent["total_count"] > 100 else None,
            hidden=spent is None,
        ),
    )


def _version(version: dict[str, Any]) -> list[str]:
    facts = [line(version["name"]), line(version["status"])]
    facts += [f"due {version['due_date']}"] if version.get("due_date") else []
    return [", ".join(facts), *filter(None, [line(version.get("description"))])]


def _hours(entries: list[dict[str, Any]]) -> list[str]:
    """Hours by person and activity, the most first."""
    sums: Counter[str] = Counter()
    for entry in entries:
        sums[f"{name_of(entry, 'user')}, {name_of(entry, 'activity')}"] += entry["hours"]
    return [f"{who}: {hours:g} h" for who, hours in sums.most_common()]
