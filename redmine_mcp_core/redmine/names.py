"""Names for ids and ids for names: statuses, trackers, projects, members, versions and the like.

A person says "In Progress" and Redmine wants 2. What an administrator defines is the same for
everybody and is asked once for all callers; what depends on who looks is kept per caller.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from cachetools import TTLCache

from redmine_mcp_core.redmine.errors import BadArgument

KEPT_SECONDS = 300
KEPT_ENTRIES = 5_000
SHOWN_NAMES = 30
"""How many valid names an error tells."""

_ID = re.compile(r"#?([0-9]{1,18})")

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
    "issue_custom_fields",
]


class Read(Protocol):
    """Reads a whole list: its path, the key of the answer that holds it, and what to include."""

    def __call__(
        self, path: str, key: str, *, include: str | None
    ) -> Awaitable[list[dict[str, Any]]]: ...


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a kind of name is listed."""

    singular: str
    path: str
    key: str
    shared: bool = False
    """Whether everybody sees the same list (Redmine asks no permission for it)."""
    include: str | None = None


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
    "projects": _Source("project", "/projects.json", "projects"),
    "queries": _Source("saved query", "/queries.json", "queries"),
    "versions": _Source("version", "/projects/{project}/versions.json", "versions"),
    "issue_categories": _Source(
        "category", "/projects/{project}/issue_categories.json", "issue_categories"
    ),
    "members": _Source("member", "/projects/{project}/memberships.json", "memberships"),
    "issue_custom_fields": _Source(
        "custom field", "/projects/{project}.json", "project", include="issue_custom_fields"
    ),
}


class NameCache:
    """The lists of names of one Redmine, kept for five minutes."""

    def __init__(self) -> None:
        self._kept: TTLCache[tuple[str, Kind, str], dict[int, str]] = TTLCache(
            KEPT_ENTRIES, KEPT_SECONDS
        )

    async def names(self, kind: Kind, read: Read, *, viewer: str, project: str) -> dict[int, str]:
        """Id to name. ``viewer`` keeps apart what callers see; raises ``RedmineError``."""
        source = _SOURCES[kind]
        key = ("" if source.shared else viewer, kind, project)
        known = self._kept.get(key)
        if known is None:
            found = await read(
                source.path.format(project=project), source.key, include=source.include
            )
            known = dict(_pairs(kind, found))
            self._kept[key] = known
        return known

    def forget(self, kind: Kind, *, viewer: str, project: str = "") -> None:
        """Ask again next time: something of this kind was just changed."""
        self._kept.pop(("" if _SOURCES[kind].shared else viewer, kind, project), None)


def _pairs(kind: Kind, found: list[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    for item in found:
        match kind:
            case "members":
                # A group's members are listed one by one as well, and a role may repeat a person.
                principal = item.get("user") or item.get("group") or {}
                if principal:
                    yield int(principal["id"]), str(principal["name"])
            case "issue_custom_fields":
                for field in item.get("issue_custom_fields", ()):
                    yield int(field["id"]), str(field["name"])
            case _:
                yield int(item["id"]), str(item["name"])


def find(kind: Kind, names: Mapping[int, str], wanted: int | str) -> int:
    """The id of what was named, by id or by name in any case.

    Raises ``BadArgument`` with the valid names, or with those between which it is undecided.
    """
    text = str(wanted).strip()
    if (number := _ID.fullmatch(text)) and int(number[1]) in names:
        return int(number[1])
    folded = text.casefold()
    fitting = [number for number, name in names.items() if name.casefold() == folded] or [
        number for number, name in names.items() if name.casefold().startswith(folded) and folded
    ]
    if len(fitting) == 1:
        return fitting[0]
    singular = _SOURCES[kind].singular
    if fitting:
        either = ", ".join(f"{names[number]} (id {number})" for number in fitting[:SHOWN_NAMES])
        raise BadArgument(f"“{text[:80]}” may be any of these: {either}. Give the id.")
    raise BadArgument(f"There is no {singular} “{text[:80]}” here. There are: {_listed(names)}.")


def _listed(names: Mapping[int, str]) -> str:
    shown = list(names.values())[:SHOWN_NAMES]
    more = len(names) - len(shown)
    return (", ".join(shown) or "none") + (f" and {more} more" if more > 0 else "")
