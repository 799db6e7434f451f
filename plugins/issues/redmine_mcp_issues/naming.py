"""What a person calls projects, people, versions and fields, as the ids that Redmine wants."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from redmine_mcp_core import BadArgument, Forbidden, NotFound, Redmine, find_name, line

MOST_PROJECTS = 20
"""In so many projects a name is looked for where no project was given."""

InProject = Literal["members", "versions", "issue_categories", "issue_custom_fields"]
"""What each project has its own list of."""

_Answer = TypeVar("_Answer")
_IDENTIFIER = re.compile(r"[a-z0-9_-]+")
_NUMBER = re.compile(r"#?([0-9]{1,9})")


async def in_project(
    redmine: Redmine, project: str, ask: Callable[[str], Awaitable[_Answer]]
) -> _Answer:
    """Ask something of a project that was given by identifier, name or id.

    ``ask`` gets what may stand in a path. An identifier costs no further question.
    Raises ``BadArgument`` with the projects that there are.
    """
    project = project.strip()
    if _IDENTIFIER.fullmatch(project):
        try:
            return await ask(project)
        except (NotFound, Forbidden):
            pass  # Redmine tells hidden from missing; a caller need not learn which it was
    known = await redmine.id_of("projects", project)
    try:
        return await ask(str(known))
    except Forbidden:
        problem = f"Redmine does not allow this in {line(project)[:80]}. An id may do for a name."
        raise Forbidden(problem) from None


def number(text: str) -> int | None:
    """The id that was written, as ``12`` or ``#12``."""
    found = _NUMBER.fullmatch(text.strip())
    return int(found[1]) if found else None


async def id_in(redmine: Redmine, kind: InProject, wanted: str, project: str) -> int:
    """The id of a member, version, category or custom field, by id or name.

    Where no project was given, the lists of all projects count. An id is believed, except that a
    custom field has to be known. Raises ``BadArgument`` with the valid names.
    """
    given = number(wanted)
    if given is not None and (not project or kind == "members"):
        return given  # somebody who is no member any more may still be an author
    try:
        return find_name(kind, await names_in(redmine, kind, project), wanted)
    except BadArgument:
        if given is None or kind == "issue_custom_fields":
            raise
        return given  # a subproject's


async def names_in(redmine: Redmine, kind: InProject, project: str) -> dict[int, str]:
    """Id to name in one project, or in every project there is to see. Raises ``RedmineError``."""
    if project:
        return await redmine.names(kind, project)
    projects = list(await redmine.names("projects"))
    if len(projects) > MOST_PROJECTS:
        raise BadArgument(f"Name the project: there are {len(projects)} of them to look in.")
    found = await asyncio.gather(
        *(redmine.names(kind, one) for one in projects), return_exceptions=True
    )
    known: dict[int, str] = {}
    for names in found:
        if isinstance(names, dict):
            known |= names
        elif not isinstance(names, Forbidden | NotFound):
            raise names
    return known
