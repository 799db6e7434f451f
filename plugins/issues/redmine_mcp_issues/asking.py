"""All that issues are asked for, custom fields among it, as one question to Redmine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from redmine_mcp_core import (
    PRESENCE,
    BadArgument,
    Filters,
    Redmine,
    RedmineError,
    check_value,
    custom_values,
    line,
)
from redmine_mcp_issues.filters import FILTERS, Asked, Holds, add_filter
from redmine_mcp_issues.naming import id_in, known_as

_RANGE = re.compile(r"([0-9.-]*[0-9])\s*\.\.\s*([0-9.-]*[0-9])")
"""From one number or day to another."""
_COMPARISONS = (">=", "<=", "~", "!")
_YES_NO = {"yes": "1", "true": "1", "no": "0", "false": "0"}


async def filters_from(redmine: Redmine, asked: Mapping[str, str], project: str) -> Filters:
    """The filters that were asked for by name; open issues unless a status is among them.

    Raises ``BadArgument``: an unknown filter or value, with the valid ones.
    """
    filters = Filters("issues", {"status_id": "o"})
    if not any(known_as(name) == "status" for name in asked):
        filters.hints.append("Closed ones were left out: status=any takes all.")
    for name, value in asked.items():
        text, known = line(value), known_as(name)
        check_value(line(name), text)
        if known in FILTERS:
            await add_filter(filters, Asked(known, text, project, redmine))
        else:
            await _add_custom(filters, Asked(line(name), text, project, redmine))
    return filters


async def _add_custom(filters: Filters, asked: Asked) -> None:
    """A custom field. Redmine tells only administrators of which kind it is: the value says it."""
    field_id = await custom_field_id(asked.redmine, asked.name, asked.project)
    text = asked.text
    between = _RANGE.fullmatch(text)
    if text in PRESENCE:
        expression, holds = PRESENCE[text], _filled(field_id, text == "any")
    elif between:
        expression, holds = f"><{between[1]}|{between[2]}", _filled(field_id, True)
    elif text.startswith(_COMPARISONS):
        expression = text
        holds = None if text.startswith("!") else _filled(field_id, True)
    else:
        wanted = [text, *await _stored_as(asked)]
        # A value that begins like an operator has to say that it is none.
        expression = ("" if text[0].isalnum() else "=") + "|".join(wanted)
        holds = None if text == "me" else _one_of(field_id, wanted)
        filters.hints.append(f"{asked.name} was compared as a whole: ~{text} finds a part of it.")
    filters.add(asked.name, f"cf_{field_id}", expression, holds)


async def custom_field_id(redmine: Redmine, name: str, project: str) -> int:
    """A custom field's id. Raises ``BadArgument`` with all filters and custom fields."""
    try:
        return await id_in(redmine, "issue_custom_fields", name.removeprefix("cf_"), project)
    except BadArgument as error:
        raise BadArgument(*error.args, "", f" Other filters: {', '.join(FILTERS)}.") from None


async def _stored_as(asked: Asked) -> list[str]:
    """What a value may be stored as: a person by id, yes and no by number."""
    text = asked.text.casefold()
    if text in _YES_NO:
        return [_YES_NO[text]]
    if not any(character.isalpha() for character in text):
        return []
    try:
        people = await asked.redmine.names("members", asked.project)
    except RedmineError:
        return []
    return [str(user_id) for user_id, name in people.items() if name.casefold() == text]


def _filled(field_id: int, wanted: bool) -> Holds | None:
    return lambda issue: bool(custom_values(issue, field_id)) == wanted


def _one_of(field_id: int, wanted: list[str]) -> Holds:
    folded = {value.casefold() for value in wanted}
    return lambda issue: (
        not folded.isdisjoint(value.casefold() for value in custom_values(issue, field_id))
    )
