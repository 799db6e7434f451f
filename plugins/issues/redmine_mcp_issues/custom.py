"""Custom fields by name, and what can be learned of their values.

Only an administrator may read what a field allows (``GET /custom_fields``). Everybody else can look
at what other issues of the project hold, which is a hint and no promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from redmine_mcp_core import MAX_PAGE_SIZE, Redmine, RedmineError, find_name, line

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


async def seen_values(redmine: Redmine, number: int, project: str) -> list[str]:
    """What a field holds in the newest issues of a project; empty if that is not to be had."""
    try:
        answer = await redmine.get(
            "/issues.json",
            project_id=project,
            status_id="*",
            sort="id:desc",
            limit=MAX_PAGE_SIZE,
            **{f"cf_{number}": "*"},
        )
    except RedmineError:
        return []
    return sorted({line(text) for text in _held(answer.get("issues", ()), number)})


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
                yield from (str(item) for item in (value if isinstance(value, list) else [value]))


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
            fitting = [int((await redmine.account())["id"])]
        else:
            fitting = [key for key, name in members.items() if name.casefold() == text.casefold()]
    except RedmineError:
        return None
    if len(fitting) != 1:
        return None
    seen = await seen_values(redmine, number, project)
    holds_people = bool(seen) and all(item.isdecimal() and int(item) in members for item in seen)
    return str(fitting[0]) if holds_people else None
