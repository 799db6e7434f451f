"""Filters of a list in Redmine's long form: ``f[]=status_id&op[status_id]=o&v[status_id][]=``.

It is the only one in which a list can be asked for several projects at once. The short form's
``project_id`` names also the one project that the list is opened in (``find_optional_project`` in
app/controllers/application_controller.rb), so of two it says 404.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_NO_FILTERS = frozenset({"sort", "limit", "offset", "include", "from", "to"})
_WORDS = frozenset("o c * !* *o !o t ld w lw l2w nd nw nm m lm y".split())
"""Operators without a value (app/models/query.rb, ``Query.operators``)."""
_PRESENCE = frozenset({"*", "!*"})
_DAYS = re.compile(r"(><t[-+]|[<>]?t[-+])(\d+)")
_OPERATOR = re.compile(r"(><|>=|<=|!~|\*~|[~^$!=]|)(.*)", re.DOTALL)

_OPEN = {"status_id": "o"}
"""What a list of issues is held to in the short form, unless it asks for a status."""


def long_form(
    params: Mapping[str, Any], projects: Iterable[int], *, issues: bool
) -> dict[str, Any]:
    """The same list over these projects. Parameters are those of the short form."""
    rest = {name: value for name, value in params.items() if name in _NO_FILTERS}
    asked = {
        name: str(value)
        for name, value in ((_OPEN if issues else {}) | dict(params)).items()
        if value is not None and name not in {*_NO_FILTERS, "project_id", "subproject_id"}
    }
    filters = {"project_id": ("=", [str(one) for one in sorted(projects)])}
    filters |= {name: _parsed(name, _flat(params.get(name), text)) for name, text in asked.items()}
    return rest | {"f[]": list(filters)} | dict(_written(filters))


def _flat(value: Any, text: str) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else text


def _parsed(name: str, expression: str) -> tuple[str, list[str]]:
    """Operator and values, as ``Query#add_short_filter`` takes them apart.

    A custom field's value may look like a word or a number of days, and is none.
    """
    custom = name.startswith("cf_")
    if expression in (_PRESENCE if custom else _WORDS):
        return expression, [""]
    if not custom and (days := _DAYS.fullmatch(expression)):
        return days[1], [days[2]]
    found = _OPERATOR.fullmatch(expression)
    operator, values = (found[1], found[2]) if found else ("", expression)
    return operator or "=", values.split("|")


def _written(filters: Mapping[str, tuple[str, list[str]]]) -> Iterator[tuple[str, Any]]:
    for name, (operator, values) in filters.items():
        yield f"op[{name}]", operator
        yield f"v[{name}][]", values
