"""What a list of Redmine is asked for: filters and an order by name, as its queries take them.

Redmine ignores a filter that it does not know, does not offer in this project or keeps from this
user, and lists everything instead; where one value is malformed it forgets all of them
(app/models/query.rb, ``add_short_filter`` and ``statement``). So names and values are checked
before the question, and what comes back is held to what was asked.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redmine_mcp_core.redmine.errors import BadArgument

Item = Mapping[str, Any]
"""An issue, a time entry or the like, as a list of Redmine holds it."""
Holds = Callable[[Item], bool]

PRESENCE: Mapping[str, str] = {"none": "!*", "any": "*"}
"""Whether there is a value at all: in a person's words, and as Redmine's filter."""

MOST_SORT_KEYS = 3
"""Redmine drops all further ones (lib/redmine/sort_criteria.rb)."""

_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?"
_AMOUNT = re.compile(rf"(>=|<=|=|)\s*({_NUMBER})")
_BETWEEN = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})")


@dataclass
class Filters:
    """Parameters for Redmine, and what must hold of each thing that comes back."""

    of: str
    """What is listed, in the plural: ``issues``."""
    params: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Holds] = field(default_factory=dict)
    """By the name of the filter."""
    hints: list[str] = field(default_factory=list)
    """What to try if nothing fits."""

    def add(self, name: str, param: str, expression: str, holds: Holds | None = None) -> None:
        """Ask for what ``expression`` says of Redmine's ``param``; a person calls it ``name``."""
        self.params[param] = expression
        if holds:
            self.holds[name] = holds

    def check(self, listed: Sequence[Item]) -> None:
        """Raise ``BadArgument`` if Redmine took no notice of a filter."""
        for name, holds in self.holds.items():
            if not all(map(holds, listed)):
                raise BadArgument(
                    f"Redmine does not filter by {name} here, and listed other {self.of} as well. "
                    "Leave it out, or ask your administrator to make it a filter."
                )


def check_value(name: str, value: str) -> None:
    """Raise ``BadArgument`` for what no filter can look for."""
    if not value:
        raise BadArgument(f"{name} is empty. Leave it out, or write none or any.")
    if "|" in value:
        raise BadArgument(f"Redmine cannot filter by a value with “|” in it: {name}.")


async def names_filter(
    text: str, id_of: Callable[[str], Awaitable[str]]
) -> tuple[str, frozenset[str]]:
    """One name, or several with commas; ``!`` before them excludes. The filter, and their ids.

    Raises what ``id_of`` raises, a name with a comma in it being tried as one first.
    """
    excluded = text.startswith("!")
    names = text.removeprefix("!").strip()
    try:
        ids = [await id_of(names)]
    except BadArgument:
        if "," not in names:
            raise
        ids = [await id_of(one.strip().removeprefix("!")) for one in names.split(",")]
    return ("!" if excluded else "=") + "|".join(ids), frozenset(ids)


def number_filter(text: str) -> str | None:
    """``1.5``, ``>=1``, ``<=8`` or ``1..8`` as Redmine's filter; None for anything else."""
    if between := _BETWEEN.fullmatch(text):
        return f"><{between[1]}|{between[2]}"
    if compared := _AMOUNT.fullmatch(text):
        return f"{compared[1] or '='}{compared[2]}"
    return None


async def sort_by(
    text: str, column_of: Callable[[str], Awaitable[str]], keys: Iterable[str]
) -> str:
    """``-priority, due`` as Redmine's ``sort``: a minus sign turns a key round, as ``desc`` does.

    ``column_of`` tells Redmine's column of a key, or raises ``BadArgument``; what is raised here
    then names the ``keys`` that there are, since Redmine would ignore an unknown one.
    """
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if len(wanted) > MOST_SORT_KEYS:
        raise BadArgument(f"Redmine sorts by {MOST_SORT_KEYS} keys at most.")
    criteria = []
    for key in wanted:
        name, _, direction = key.lstrip("-").replace(":", " ").rpartition(" ")
        if direction.casefold() not in ("asc", "desc"):
            name, direction = key.lstrip("-"), "asc"
        try:
            column = await column_of(name.strip())
        except BadArgument:
            known = ", ".join(keys)
            raise BadArgument(f"Nothing is sorted by “{key[:40]}”. There are: {known}.") from None
        down = key.startswith("-") or direction.casefold() == "desc"
        criteria.append(f"{column}:desc" if down else column)
    return ",".join(criteria)


def custom_values(item: Item, field_id: int) -> list[str]:
    """The values of a custom field: none, one or several."""
    for custom in item.get("custom_fields", ()):
        if custom["id"] == field_id:
            value = custom.get("value")
            values = value if isinstance(value, list) else [value]
            return [str(one) for one in values if one not in (None, "")]
    return []
