"""From what a person calls a project, or somebody, to Redmine's record of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Literal

from redmine_mcp_core import BadArgument, Forbidden, NotFound, Redmine, find_name, line

PROJECTS_SEARCHED = 20
"""In how many projects a name is looked for where none is given."""
AT_ONCE = 4
"""Requests at the same time for one answer, so that it does not take all of Redmine's workers."""

ACTIVE, CLOSED = 1, 5
STATUSES = {ACTIVE: "active", CLOSED: "closed"}
"""app/models/project.rb, STATUS_*. Archived projects (9) and those to be deleted (10) are shown to
nobody through the API, not to administrators either."""

IDENTIFIER = re.compile(r"[a-z0-9_-]{1,100}")
"""app/models/project.rb; a number is an id."""

ProjectKind = Literal["versions", "issue_categories", "members", "issue_custom_fields"]


async def fresh_project(
    redmine: Redmine, wanted: int | str, include: str | None = None
) -> dict[str, Any]:
    """The project by identifier, id or name, as it is now; ``Redmine.project`` may be older.

    Raises ``BadArgument`` with the names of the projects there are, or ``RedmineError``.
    """
    text = str(wanted).strip()
    reference = text if IDENTIFIER.fullmatch(text) else (await redmine.project(text))["id"]
    try:
        answer = await redmine.get(f"/projects/{reference}.json", include=include)
    except (NotFound, Forbidden):
        # Redmine tells hidden from missing (403 and 404); a caller need not learn which it was.
        number = (await redmine.project(text))["id"]
        answer = await redmine.get(f"/projects/{number}.json", include=include)
    project: dict[str, Any] = answer["project"]
    return project


def find_record(
    kind: Literal["versions", "issue_categories"], records: Iterable[dict[str, Any]], wanted: str
) -> dict[str, Any]:
    """The one of these records that was named, by id or name; raises ``BadArgument``."""
    known = {record["id"]: record for record in records}
    return known[find_name(kind, {number: one["name"] for number, one in known.items()}, wanted)]


def path_of(project: dict[str, Any], what: str) -> str:
    """``/projects/1/versions.json`` and the like."""
    return f"/projects/{project['id']}/{what}.json"


async def principal_id(redmine: Redmine, wanted: int | str) -> int:
    """The id of a user or group, by id, "me" or name.

    Only an administrator may list people; for anybody else a name is looked for among the members
    of the projects they see. Raises ``BadArgument`` where it is found nowhere, or twice.
    """
    text = str(wanted).strip()
    if text.isdecimal():
        return int(text)
    if text.casefold() == "me":
        return int((await redmine.learned("me", redmine.account))["id"])
    folded = text.casefold()
    found = {
        number: name
        for number, name in (await _people(redmine, text)).items()
        if folded in (name.casefold(), name.casefold().split(" ")[0])
    }
    if len(found) == 1:
        return next(iter(found))
    if found:
        either = ", ".join(f"{line(name)} (id {number})" for number, name in found.items())
        raise BadArgument(f"“{text[:80]}” may be any of these: ", either, ". Give the id.")
    raise BadArgument(
        f"Nobody called “{text[:80]}” is among the people you can see. Give the id of the user."
    )


async def _people(redmine: Redmine, text: str) -> dict[int, str]:
    (me,) = await redmine.reference("current_user")
    if not me.get("admin"):  # Redmine shows it to administrators alone, as these lists
        return await names_anywhere(redmine, "members")
    users, groups = await asyncio.gather(
        redmine.get("/users.json", name=text, limit=100), redmine.get("/groups.json")
    )
    return {
        **{user["id"]: f"{user['firstname']} {user['lastname']}" for user in users["users"]},
        **{group["id"]: group["name"] for group in groups["groups"]},
    }


async def names_anywhere(redmine: Redmine, kind: ProjectKind) -> dict[int, str]:
    """Id to name in the first of the projects there are to see. Raises ``RedmineError``."""
    projects = list(await redmine.names("projects"))[:PROJECTS_SEARCHED]
    limited = asyncio.Semaphore(AT_ONCE)

    async def names(project: int) -> dict[int, str]:
        async with limited:
            try:
                return await redmine.names(kind, project)
            except (NotFound, Forbidden):
                return {}

    found: dict[int, str] = {}
    for known in await asyncio.gather(*map(names, projects)):
        found |= known
    return found
