"""What a write is to set: names made into the ids that Redmine takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redmine_mcp_core import BadArgument, Redmine, day_of, find_name, line
from redmine_mcp_issues.attributes import ATTRIBUTES, Attribute, Value, value_of
from redmine_mcp_issues.custom import field_values
from redmine_mcp_issues.people import person

SUBJECT_CHARACTERS = 255
"""app/models/issue.rb, ``validates_length_of :subject``."""

_DATES = {"start_date", "due_date"}
_ALWAYS_SET = {"tracker", "status", "priority", "subject"}
"""What no issue is without."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The attributes of a write, and the issue that ought to come of it."""

    body: dict[str, Any] = field(default_factory=dict)
    wanted: dict[str, Value] = field(default_factory=dict)
    """By the keys of ``snapshot``."""


async def draft_of(
    redmine: Redmine,
    arguments: Mapping[str, Any],
    fields: Mapping[str, Any],
    *,
    home: Mapping[str, Any] | None = None,
    issue: Mapping[str, Any] | None = None,
) -> Draft:
    """Resolve what a tool was called with; null leaves an attribute alone, "" empties it.

    ``home`` is the project that the issue is to be made in or moved to, ``issue`` what is there
    already; one of them is given. Raises ``BadArgument`` with the valid names.
    """
    draft = Draft()
    if home is not None:
        draft.body["project_id"] = home["id"]
        draft.wanted["project_id"] = Value("Project", home["id"], line(home["name"]))
    project = str((home or (issue or {})["project"])["id"])
    for argument, given in arguments.items():
        if given is None:
            continue
        attribute = ATTRIBUTES[argument]
        sent, text = await _resolved(redmine, attribute, given, project)
        draft.body[attribute.key] = sent
        draft.wanted[attribute.key] = (
            Value(attribute.label, sent, text)
            if text
            else value_of(attribute.label, sent, long=attribute.long)
        )
    values = await field_values(redmine, fields, project, issue)
    for number, (label, value) in values.items():
        draft.body.setdefault("custom_fields", []).append({"id": number, "value": value})
        draft.wanted[f"cf_{number}"] = value_of(label, value)
    return draft


async def _resolved(
    redmine: Redmine, attribute: Attribute, given: Any, project: str
) -> tuple[Any, str]:
    """What Redmine takes for what was given, and its name where it is a reference."""
    text = str(given).strip()
    if not text:
        if attribute.argument in _ALWAYS_SET:
            raise BadArgument(f"{attribute.argument} cannot be empty.")
        return "", ""
    if attribute.names == "members":
        return await person(redmine, text, project)
    if attribute.names:
        names = await redmine.names(attribute.names, project if attribute.of_project else "")
        number = find_name(attribute.names, names, text)
        return number, line(names[number])
    if attribute.argument == "parent":
        if not text.removeprefix("#").isdecimal():
            raise BadArgument("parent is the number of an issue, such as 12.")
        return int(text.removeprefix("#")), f"#{text.removeprefix('#')}"
    if attribute.argument in _DATES:
        return day_of(attribute.argument, text, ahead=True), ""
    if attribute.argument == "subject" and len(text) > SUBJECT_CHARACTERS:
        raise BadArgument(f"The subject has {len(text)} characters; {SUBJECT_CHARACTERS} fit.")
    return given, ""
