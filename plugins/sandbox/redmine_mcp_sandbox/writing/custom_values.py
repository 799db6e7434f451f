"""Custom fields of an issue: how values are taken, and what Redmine says about wrong ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from redmine_mcp_sandbox.seed import CustomField, Project
from redmine_mcp_sandbox.world import World
from redmine_mcp_sandbox.writing import values

Value = str | list[str] | None


def without_values(world: World) -> dict[str, Value]:
    """The fields of a new issue; in the sandbox every field belongs to every project."""
    return {str(one.id): [] if one.multiple else None for one in world.custom_fields.values()}


def assigned(current: Mapping[str, Value], given: Any) -> dict[str, Value]:
    """The values after ``custom_fields: [{"id": 1, "value": "x"}]``; unknown fields are ignored."""
    wished = {
        values.text(one["id"]): one["value"]
        for one in (given if isinstance(given, list) else [])
        if isinstance(one, dict) and "id" in one and "value" in one
    }
    return {
        field_id: _stored(wished[field_id]) if field_id in wished else value
        for field_id, value in current.items()
    }


def saved(world: World, current: Mapping[str, Value]) -> dict[str, Value]:
    """What the database holds in the end: a field of several values has no row for an empty one."""
    return {
        field_id: [one for one in (value if isinstance(value, list) else [value]) if one]
        if world.custom_fields[int(field_id)].multiple
        else value
        for field_id, value in current.items()
    }


def _stored(value: Any) -> Value:
    if isinstance(value, list):
        return list(dict.fromkeys(values.text(one) for one in value))
    return values.text(value)


def complaints(
    world: World, project: Project | None, current: Mapping[str, Value]
) -> Iterator[str]:
    """What Redmine says about the values, field by field."""
    for field_id, value in current.items():
        field = world.custom_fields[int(field_id)]
        if isinstance(value, list) and not field.multiple:
            yield f"{field.name} is invalid"
            continue
        given = [one for one in (value if isinstance(value, list) else [value]) if one]
        check = CHECKS.get(field.field_format)
        if check is None:
            continue
        said = dict.fromkeys(check(world, project, field, one) for one in given)
        yield from (f"{field.name} {complaint}" for complaint in said if complaint)


Check = Callable[[World, Project | None, CustomField, str], str | None]


def _list(_w: World, _p: Project | None, field: CustomField, value: str) -> str | None:
    return None if value in field.possible_values else "is not included in the list"


def _integer(_w: World, _p: Project | None, _f: CustomField, value: str) -> str | None:
    return None if re.fullmatch(r"[+-]?\d+", value.strip()) else "is not a number"


def _float(_w: World, _p: Project | None, _f: CustomField, value: str) -> str | None:
    return None if re.fullmatch(r"[+-]?\d+(\.\d+)?", value.strip()) else "is invalid"


def _date(_w: World, _p: Project | None, _f: CustomField, value: str) -> str | None:
    readable = not isinstance(values.day(value), values.Unreadable)
    return None if readable else "is not a valid date"


def _user(world: World, project: Project | None, _f: CustomField, value: str) -> str | None:
    members = [] if project is None else world.memberships_of(project)
    known = {str(one.principal_id) for one in members if one.principal_id in world.users}
    return None if value in known else "is not included in the list"


CHECKS: Mapping[str, Check] = {
    "list": _list,
    "int": _integer,
    "float": _float,
    "date": _date,
    "user": _user,
}
