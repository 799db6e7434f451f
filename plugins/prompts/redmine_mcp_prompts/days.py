"""One's own day: what I did, what I have, and what somebody else shall have."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

from pydantic import Field

from redmine_mcp_core import BadArgument, CurrentRedmine, Redmine, find_name, line
from redmine_mcp_prompts.briefing import Section, briefing
from redmine_mcp_prompts.finding import (
    day_of,
    few,
    find_project,
    if_shown,
    issues,
    last_workday,
    today,
)
from redmine_mcp_prompts.plugin import plugin
from redmine_mcp_prompts.rows import (
    Names,
    issue_row,
    journal_rows,
    name_of,
    people_in,
    statuses_in,
    with_text,
)

MOST_READ = 10
"""How many issues are read one by one, for their comments."""
MOST_LISTED = 25
MOST_PROJECTS = 5
DESCRIPTION_BYTES = 300
COMMENT_COUNT = 2


@plugin.prompt(title="Prepare my stand-up")
async def stand_up(
    since: Annotated[
        str, Field(description="First day, such as 2026-01-31; otherwise the last working day")
    ] = "",
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Say in a minute what you did since the last working day, what is next, what is stuck."""
    day = day_of(since, last_workday())
    me = await redmine.account()
    newest = {"status_id": "*", "sort": "updated_on:desc"}
    changed, created, mine = await few(
        # Redmine finds whom an issue was ever updated by; the journals tell on which day.
        issues(redmine, updated_by="me", updated_on=f">={day}", limit=MOST_READ, **newest),
        issues(redmine, author_id="me", created_on=f">={day}", limit=MOST_LISTED, **newest),
        _assigned_to_me(redmine),
    )
    touched = await few(*(_read(redmine, issue) for issue in changed["issues"]))
    spent = await if_shown(
        redmine.get("/time_entries.json", **{"user_id": "me", "from": day}, limit=100)
    )
    statuses = await statuses_in(
        redmine, [entry for issue in touched for entry in issue.get("journals", ())]
    )
    did = [row for issue in touched for row in _done(issue, me["id"], day, statuses)]
    unread = max(0, changed["total_count"] - len(touched))
    return briefing(
        f"Prepare what I say at the stand-up, in under a minute and in the first person: what I "
        f"did since {day}, what I do next, and what is in my way. Name issue numbers. Infer what "
        f"is next from priority and due date (today is {today()}), and what is stuck from the "
        "comments only.",
        Section("What I changed", did, len(did) + unread),
        Section(
            "Issues I created",
            [issue_row(one) for one in created["issues"]],
            created["total_count"],
        ),
        Section(
            "Hours I logged",
            [_logged(entry) for entry in spent["time_entries"]] if spent else [],
            spent["total_count"] if spent else None,
            hidden=spent is None,
        ),
        Section(
            "Open issues assigned to me, most urgent first",
            [issue_row(one) for one in mine["issues"]],
            mine["total_count"],
        ),
    )


@plugin.prompt(title="Hand over my issues")
async def handover(
    assignee: Annotated[str, Field(description="Name of who takes over")],
    project: Annotated[
        str, Field(description="Identifier or name of a project; otherwise all of them")
    ] = "",
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Hand your open issues over to a colleague: where each stands and what comes next."""
    here = await find_project(redmine, project) if project.strip() else None
    mine = await _assigned_to_me(redmine, here)
    if not mine["total_count"]:
        raise BadArgument(
            "No open issue is assigned to you here, so there is nothing to hand over."
        )
    projects = {issue["project"]["id"]: line(issue["project"]["name"]) for issue in mine["issues"]}
    asked = list(projects)[:MOST_PROJECTS]
    members = dict(
        zip(
            asked,
            await few(*(if_shown(redmine.names("members", number)) for number in asked)),
            strict=True,
        )
    )
    heir = _heir(members.values(), assignee)
    read = await few(*(_read(redmine, issue) for issue in mine["issues"][:MOST_READ]))
    statuses = await statuses_in(
        redmine, [entry for issue in read for entry in issue.get("journals", ())]
    )
    stranger = [
        projects[number]
        for number, known in members.items()
        if known is not None and heir not in known
    ]
    name = next((known[heir] for known in members.values() if known and heir in known), assignee)
    return briefing(
        "Write the note with which I hand my open issues over to a colleague, named first below. "
        "One paragraph per issue, the most urgent first: number, what it is about, where it "
        "stands, what comes next, and whom to ask. Before that, in three lines, what cannot wait "
        f"(today is {today()}). Put apart what I should rather finish myself, and those in a "
        "project of which my colleague is no member, since they cannot be assigned there.",
        Section("Colleague", [line(name)]),
        Section("Projects of which the colleague is no member", stranger),
        Section(
            "My open issues, most urgent first",
            [
                *(_with_comments(issue, statuses) for issue in read),
                *(issue_row(issue) for issue in mine["issues"][MOST_READ:]),
            ],
            mine["total_count"],
        ),
    )


async def _assigned_to_me(redmine: Redmine, project: Any = None) -> dict[str, Any]:
    return await issues(
        redmine,
        project=project,
        assigned_to_id="me",
        status_id="open",
        sort="priority:desc,due_date,id",
        limit=MOST_LISTED,
    )


async def _read(redmine: Redmine, issue: dict[str, Any]) -> dict[str, Any]:
    """The issue with its journals; as it was listed, should it be gone by now."""
    answer = await if_shown(redmine.get(f"/issues/{issue['id']}.json", include="journals"))
    return answer["issue"] if answer else issue


def _done(issue: dict[str, Any], user_id: int, day: date, statuses: Names) -> Iterable[str]:
    """What somebody did with an issue from that day on."""
    theirs = [
        entry
        for entry in issue.get("journals", ())
        if entry["user"]["id"] == user_id and entry["created_on"][:10] >= str(day)
    ]
    rows = list(journal_rows(theirs, statuses, people_in(issue)))
    return ["\n".join([issue_row(issue), *rows])] if rows else []


def _with_comments(issue: dict[str, Any], statuses: Names) -> str:
    comments = [entry for entry in issue.get("journals", ()) if entry.get("notes")]
    rows = journal_rows(comments[: -COMMENT_COUNT - 1 : -1], statuses, people_in(issue))
    told = with_text(issue_row(issue), issue.get("description"), DESCRIPTION_BYTES)
    return "\n".join([told, *rows])


def _logged(entry: dict[str, Any]) -> str:
    issue = f" on #{entry['issue']['id']}" if entry.get("issue") else ""
    about = line(entry.get("comments"))
    hours = f"{entry['spent_on']} {entry['hours']:g} h {name_of(entry, 'activity')}{issue}"
    return f"{hours}: {about}" if about else hours


def _heir(members: Iterable[dict[int, str] | None], wanted: str) -> int:
    """The id of the colleague. Raises ``BadArgument`` with those who could take over."""
    known: dict[int, str] = {}
    for names in members:
        known |= names or {}
    return find_name("members", known, wanted)
