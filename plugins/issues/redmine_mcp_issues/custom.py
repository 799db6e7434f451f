"""Custom fields by name, and what can be learned of their values.

Only an administrator may read what a field allows (``GET /custom_fields``). Everybody else can look
at what other issues of the project hold, which is a hint and no promise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from redmine_mcp_core import MAX_PAGE_SIZE, Redmine, RedmineError, find_name, line

ENOUGH = 25
"""So many issues tell whether a field holds people, and cost Redmine a quarter of a hundred."""
OPTION_CHARACTERS = 40
MOST_OPTIONS = 20
"""More or longer values than these are not told: they are free text, and not a list's options."""


async def field_names(
    redmine: Redmine, project: str, issue: Mapping[str, Any] | None
) -> dict[int, str]:
    """Id to name of the fields an issue has, or of all that the project has for a new one."""
    if issue is None:
        return await redmine.names("issue_custom_fields", project)
    return {field["id"]: line(field["name"]) for field in issue.get("custom_fields", ())}


async def field_values(
    redmine: Redmine, wanted: Mapping[str, Any], project: str, issue: Mapping[str, Any] | None
) -> dict[int, tuple[str, Any]]:
    """Id to name and value of what was wanted, the value as Redmine takes it.

    Raises ``BadArgument`` with the fields that there are.
    """
    names = await field_names(redmine, project, issue) if wanted else {}
    found = {find_name("issue_custom_fields", names, name): value for name, value in wanted.items()}
    return {
        number: (line(names[number]), await _value(redmine, number, value, project))
        for number, value in found.items()
    }


async def seen_values(
    redmine: Redmine, number: int, project: str, most: int = MAX_PAGE_SIZE
) -> list[str]:
    """What a field holds in the newest issues of a project; empty if that is not to be had."""

    async def look() -> list[str]:
        try:
            answer = await redmine.get(
                "/issues.json",
                project_id=project,
                status_id="*",
                sort="id:desc",
                limit=most,
                **{f"cf_{number}": "*"},
            )
        except RedmineError:
            return []
        return sorted({line(text) for text in _held(answer.get("issues", ()), number)})

    return await redmine.learned(f"{most} values of cf_{number} in {project}", look)


async def people_in(redmine: Redmine, issue: Mapping[str, Any]) -> dict[int, dict[str, str]]:
    """Who is meant by the ids in an issue's fields, by field, as far as that is known.

    Redmine shows the id of a person, and not that it is one. A field is taken for one of people
    where all that the newest issues hold in it are ids of members.
    """
    fields = {
        field["id"]: values
        for field in issue.get("custom_fields", ())
        if (values := list(_held([issue], field["id"])))
        and all(value.isdecimal() for value in values)
    }
    if not fields:
        return {}
    project = str(issue["project"]["id"])
    try:
        members = await redmine.names("members", project)
    except RedmineError:
        return {}
    known = {str(number): line(name) for number, name in members.items()}
    likely = [number for number, values in fields.items() if known.keys() >= set(values)]
    seen = await asyncio.gather(
        *(seen_values(redmine, number, project, ENOUGH) for number in likely)
    )
    return {
        number: {value: known[value] for value in fields[number]}
        for number, values in zip(likely, seen, strict=True)
        if values and known.keys() >= set(values)
    }


def options(seen: list[str]) -> list[str]:
    """The values, if they look like those of a list: few, short, and not all of them numbers."""
    likely = len(seen) <= MOST_OPTIONS and all(len(text) <= OPTION_CHARACTERS for text in seen)
    return seen if likely and any(map(_has_letters, seen)) else []


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _held(issues: Iterable[Mapping[str, Any]], number: int) -> Iterable[str]:
    for issue in issues:
        for field in issue.get("custom_fields", ()):
            if field["id"] == number:
                value = field.get("value")
                values = value if isinstance(value, list) else [value]
                yield from (str(item) for item in values if item not in (None, ""))


async def _value(redmine: Redmine, number: int, value: Any, project: str) -> Any:
    if isinstance(value, list | tuple):
        return [await _value(redmine, number, item, project) for item in value]
    if isinstance(value, bool):
        return "1" if value else "0"
    text = "" if value is None else str(value)
    return await _person_id(redmine, number, text, project) or text


async def _person_id(redmine: Redmine, number: int, text: str, project: str) -> str | None:
    """The id of somebody who was named for a field that holds people, which is not told either.

    It is one where a member was named and all that the project's issues hold are members' ids.
    """
    if not _has_letters(text):
        return None
    try:
        members = await redmine.names("members", project)
        if text.casefold() == "me":
            fitting = [int((await redmine.learned("me", redmine.account))["id"])]
        else:
            fitting = [key for key, name in members.items() if name.casefold() == text.casefold()]
    except RedmineError:
        return None
    if len(fitting) != 1:
        return None
    seen = await seen_values(redmine, number, project)
    holds_people = bool(seen) and {str(member) for member in members} >= set(seen)
    return str(fitting[0]) if holds_people else None
