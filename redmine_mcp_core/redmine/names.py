"""Reference data: statuses, trackers, projects, members, versions and the like, and their names.

A person says "In Progress" and Redmine wants 2. What an administrator defines is the same for
everybody and is asked once for all callers; what depends on who looks is kept per caller.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cachetools import TTLCache

from redmine_mcp_core.redmine.errors import BadArgument, Unreadable

KEPT_SECONDS = 300
KEPT_ENTRIES = 5_000
SHOWN_NAMES = 30
"""How many valid names an error tells."""

_ID = re.compile(r"#?([0-9]{1,9})")

Kind = Literal[
    "issue_statuses",
    "trackers",
    "issue_priorities",
    "time_entry_activities",
    "roles",
    "projects",
    "queries",
    "versions",
    "issue_categories",
    "members",
    "project_activities",
    "issue_custom_fields",
    "project",
    "role",
    "current_user",
]

_ALONE: frozenset[Kind] = frozenset({"project", "role", "current_user"})
"""Lists of one: a project by any of its references, a role by its id, the caller."""
OF_PROJECTS: frozenset[Kind] = frozenset(
    {"versions", "issue_categories", "members", "project_activities", "issue_custom_fields"}
)

Records = list[dict[str, Any]]


class Read(Protocol):
    """Reads a whole list: its path, the key of the answer that holds it, and parameters."""

    def __call__(self, path: str, key: str, **params: Any) -> Awaitable[Records]: ...


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a kind of record is listed."""

    singular: str
    path: str
    key: str
    shared: bool = False
    """Whether everybody sees the same list (Redmine asks no permission for it)."""
    params: Mapping[str, str] = field(default_factory=dict)


_SOURCES: Mapping[Kind, _Source] = {
    "issue_statuses": _Source("status", "/issue_statuses.json", "issue_statuses", shared=True),
    "trackers": _Source("tracker", "/trackers.json", "trackers", shared=True),
    "issue_priorities": _Source(
        "priority", "/enumerations/issue_priorities.json", "issue_priorities", shared=True
    ),
    "time_entry_activities": _Source(
        "activity", "/enumerations/time_entry_activities.json", "time_entry_activities", shared=True
    ),
    "roles": _Source("role", "/roles.json", "roles", shared=True),
    # Without a status Redmine lists the active ones alone (app/models/project_query.rb).
    "projects": _Source("project", "/projects.json", "projects", params={"status": "1|5"}),
    "queries": _Source("saved query", "/queries.json", "queries"),
    "versions": _Source("version", "/projects/{of}/versions.json", "versions"),
    "issue_categories": _Source(
        "category", "/projects/{of}/issue_categories.json", "issue_categories"
    ),
    "members": _Source("member", "/projects/{of}/memberships.json", "memberships"),
    # A project may have activities of its own in the place of shared ones, with ids of their own.
    "project_activities": _Source(
        "activity", "/projects/{of}.json", "project", params={"include": "time_entry_activities"}
    ),
    "issue_custom_fields": _Source(
        "custom field", "/projects/{of}.json", "project", params={"include": "issue_custom_fields"}
    ),
    "project": _Source("project", "/projects/{of}.json", "project", params={"include": "trackers"}),
    "role": _Source("role", "/roles/{of}.json", "role", shared=True),
    "current_user": _Source(
        "user", "/users/current.json", "user", params={"include": "memberships"}
    ),
}


@dataclass(frozen=True, slots=True)
class _List:
    """What was read, and its names."""

    records: Records
    names: dict[int, str]


class NameCache:
    """The reference data of one Redmine, kept for five minutes."""

    def __init__(self, on_lookup: Callable[[bool], None] = lambda _: None) -> None:
        """``on_lookup`` is told of each look-up whether the list was kept already."""
        self._on_lookup = on_lookup
        self._kept: TTLCache[tuple[str, Kind, str], _List] = TTLCache(KEPT_ENTRIES, KEPT_SECONDS)
        self.learned: TTLCache[tuple[str, str], Any] = TTLCache(KEPT_ENTRIES, KEPT_SECONDS)
        """What was concluded from answers, by caller and by what it is about."""

    async def names(self, kind: Kind, read: Read, *, viewer: str, of: str) -> dict[int, str]:
        """Id to name. ``viewer`` keeps apart what callers see; raises ``RedmineError``."""
        return (await self._list(kind, read, viewer, of)).names

    async def records(self, kind: Kind, read: Read, *, viewer: str, of: str) -> Records:
        """The records themselves, which nobody may change. Raises ``RedmineError``."""
        return (await self._list(kind, read, viewer, of)).records

    async def _list(self, kind: Kind, read: Read, viewer: str, of: str) -> _List:
        source = _SOURCES[kind]
        key = (_whose(kind, viewer), kind, of)
        known = self._kept.get(key)
        self._on_lookup(known is not None)
        if known is None:
            found = await read(source.path.format(of=of), source.key, **source.params)
            if kind in _ALONE and len(found) != 1:
                raise Unreadable
            known = self._kept[key] = _List(found, dict(_pairs(kind, found)))
        return known

    def forget(self, kind: Kind, *, viewer: str, of: str = "") -> None:
        """Ask again next time: something of this kind was just changed."""
        self._kept.pop((_whose(kind, viewer), kind, of), None)

    def forget_all(self, kind: Kind, *, viewer: str) -> None:
        """The same for every list of this kind, whatever it is of."""
        whose = _whose(kind, viewer)
        for key in [key for key in self._kept if key[:2] == (whose, kind)]:
            self._kept.pop(key, None)


def _whose(kind: Kind, viewer: str) -> str:
    return "" if _SOURCES[kind].shared else viewer


def _pairs(kind: Kind, found: Records) -> Iterator[tuple[int, str]]:
    for item in found:
        match kind:
            case "members":
                # A group's members are listed one by one as well, and a role may repeat a person.
                principal = item.get("user") or item.get("group") or {}
                if principal:
                    yield int(principal["id"]), str(principal["name"])
            case "issue_custom_fields" | "project_activities":
                for one in item.get(_SOURCES[kind].params["include"], ()):
                    yield int(one["id"]), str(one["name"])
            case "project" | "role" | "current_user":
                return  # of one record nobody needs a list of names
            case _:
                yield int(item["id"]), str(item["name"])


def number_of(text: str) -> int | None:
    """The id that was written, as ``12`` or ``#12``."""
    found = _ID.fullmatch(text.strip())
    return int(found[1]) if found else None


def find(kind: Kind, names: Mapping[int, str], wanted: int | str) -> int:
    """The id of what was named, by id or by name in any case.

    Raises ``BadArgument`` with the valid names, or with those between which it is undecided.
    """
    text = str(wanted).strip()
    given = number_of(text)
    if given is not None and given in names:
        return given
    folded = text.casefold()
    fitting = [number for number, name in names.items() if name.casefold() == folded] or [
        number for number, name in names.items() if name.casefold().startswith(folded) and folded
    ]
    if len(fitting) == 1:
        return fitting[0]
    singular = _SOURCES[kind].singular
    if fitting:
        either = ", ".join(f"{names[number]} (id {number})" for number in fitting[:SHOWN_NAMES])
        raise BadArgument(f"“{text[:80]}” may be any of these: ", either, ". Give the id.")
    raise BadArgument(f"There is no {singular} “{text[:80]}” here. There are: ", *_listed(names))


def _listed(names: Mapping[int, str]) -> tuple[str, str]:
    """The names as an error tells them, and how many more there are."""
    shown = list(names.values())[:SHOWN_NAMES]
    more = len(names) - len(shown)
    return ", ".join(shown), f" and {more} more." if more > 0 else "." if shown else "none."
