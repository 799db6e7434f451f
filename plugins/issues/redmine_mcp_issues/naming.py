"""What a person calls projects, people, versions and fields, as the ids that Redmine wants."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

from redmine_mcp_core import BadArgument, Forbidden, NotFound, Redmine, find_name, line, number_of

InProject = Literal["members", "versions", "issue_categories", "issue_custom_fields"]
"""What each project has its own list of."""

_Answer = TypeVar("_Answer")
_IDENTIFIER = re.compile(r"[a-z0-9_-]+")


OWN_NAMES: Mapping[str, str] = {
    "assigned_to": "assignee",
    "fixed_version": "version",
    "created_on": "created",
    "updated_on": "updated",
    "closed_on": "closed",
    "start_date": "start",
    "due_date": "due",
    "spent_time": "spent_hours",
    "is_private": "private",
}
"""What Redmine's API calls some filters and orders, which models know by heart."""


def known_as(name: str) -> str:
    """The name here of a filter or an order, be it given as here or as in Redmine's API.

    Only with its underscores is it one of the API: a custom field may be called "Due date".
    """
    own = name.strip().casefold()
    plain = own.removesuffix("_id")
    return OWN_NAMES.get(plain, plain if own.endswith("_id") else own.replace(" ", "_"))


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


async def id_in(redmine: Redmine, kind: InProject, wanted: str, project: str) -> int:
    """The id of a member, version, category or custom field, by id or name.

    Where no project was given, the lists of all projects count. An id is believed, except that a
    custom field has to be known. Raises ``BadArgument`` with the valid names.
    """
    given = number_of(wanted)
    if given is not None and (not project or kind == "members"):
        return given  # somebody who is no member any more may still be an author
    try:
        return find_name(kind, await redmine.names(kind, project), wanted)
    except BadArgument:
        if given is None or kind == "issue_custom_fields":
            raise
        return given  # a subproject's
