"""Lists by filters (Redmine's Query): which filters a call names, and what passes them.

Unknown filters are ignored, as in Redmine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from redmine_mcp_sandbox.rest.call import Call
from redmine_mcp_sandbox.rest.operators import Kind

FoundT = TypeVar("FoundT")
# Operator and values, by the filter's name.
Wishes = Mapping[str, tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Filter:
    label: str
    """The field's name in error messages."""
    value_of: Callable[[Call, Any], Any]
    kind: Kind
    about_users: bool = False
    """Whether ``me`` is the viewer."""


def wishes_of(call: Call, filters: Mapping[str, Filter], defaults: Wishes) -> Wishes:
    """The filters that a call names: ``status_id=!5``, or ``f[]=status_id&op[status_id]=!&..``."""
    named = call.query.getlist("f[]")
    if named:
        return {
            name: (call.query.get(f"op[{name}]", "="), call.query.getlist(f"v[{name}][]"))
            for name in named
        }
    short = {
        name: one.kind.parse(call.query[name])
        for name, one in filters.items()
        if name in call.query
    }
    return {**defaults, **short}


def complaints(filters: Mapping[str, Filter], wishes: Wishes) -> list[str]:
    """What is wrong with the filters' values."""
    return [
        f"{one.label} {complaint}"
        for name, one in filters.items()
        if name in wishes and (complaint := one.kind.complaint(*wishes[name]))
    ]


def select(
    call: Call, records: Iterable[FoundT], filters: Mapping[str, Filter], wishes: Wishes
) -> list[FoundT]:
    """The records that pass every filter; all of them, if something is wrong with one filter.

    So it is in Redmine where a list does not refuse such filters (``Query#statement``).
    """
    found, today = list(records), call.world.today()
    if complaints(filters, wishes):
        return found
    for name, one in filters.items():
        if name not in wishes:
            continue
        operator, values = wishes[name]
        if one.about_users:
            values = [_me(call) if value == "me" else value for value in values]
        found = [
            record
            for record in found
            if one.kind.matches(operator, values, one.value_of(call, record), today)
        ]
    return found


def _me(call: Call) -> str:
    return str(call.viewer.user.id) if call.viewer.user else "0"
