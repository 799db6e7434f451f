"""Relations and watchers as a model writes them: ``blocks #12``, ``-blocks #12``, ``-Carol``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from redmine_mcp_core import BadArgument, Redmine
from redmine_mcp_issues.people import person

_RELATION = re.compile(
    r"(?P<gone>-?)\s*(?P<kind>[a-z][a-z _]*?)?\s*#?(?P<other>[0-9]{1,9})"
    r"(?:\s*\+\s*(?P<delay>[0-9]{1,4})(?:\s*d(?:ays?)?)?)?"
)

_KINDS = {
    "relates": "relates",
    "duplicates": "duplicates",
    "duplicated": "duplicated",
    "blocks": "blocks",
    "blocked": "blocked",
    "precedes": "precedes",
    "follows": "follows",
    "copied to": "copied_to",
    "copied from": "copied_from",
}
"""As they are said, and as Redmine's API takes them (app/models/issue_relation.rb, TYPES)."""

_REVERSED = {
    "duplicates": "duplicated",
    "blocks": "blocked",
    "precedes": "follows",
    "copied_to": "copied_from",
}
"""Redmine keeps one direction of each and shows that, whichever end one looks from."""


_DELAYED = frozenset({"precedes", "follows"})


@dataclass(frozen=True, slots=True)
class RelationChange:
    """A relation to make, or to take away."""

    kind: str
    """Empty for any, where it is to be taken away."""
    other: int
    gone: bool = False
    delay: int | None = None
    """Days that lie between the two."""

    def __str__(self) -> str:
        sign = "no longer " if self.gone else ""
        said = next((said for said, kind in _KINDS.items() if kind == self.kind), "related to")
        later = f" +{self.delay} days" if self.delay is not None else ""
        return f"{sign}{said} #{self.other}{later}"


@dataclass(frozen=True, slots=True)
class WatcherChange:
    """Somebody who is to watch an issue, or no longer."""

    user_id: int
    name: str
    gone: bool = False

    def __str__(self) -> str:
        return f"{self.name} {'no longer watches' if self.gone else 'watches'}"


def relation_changes(written: Iterable[str | int]) -> list[RelationChange]:
    """Read ``relations``. Raises ``BadArgument`` with what would do."""
    return [_relation(str(text)) for text in written]


def _relation(text: str) -> RelationChange:
    found = _RELATION.fullmatch(text.strip().casefold().replace("_", " "))
    said = (found["kind"] or "") if found else ""
    kind = _KINDS.get(said) or _KINDS.get(said.removesuffix(" to").removesuffix(" by"))
    if found and not said:
        kind = "" if found["gone"] else "relates"
    if found is None or kind is None:
        raise BadArgument(
            f"“{text[:60]}” is no relation. Write “blocks #12”, or “-blocks #12” to take it away, "
            f"with one of: {', '.join(_KINDS)}."
        )
    delay = int(found["delay"]) if found["delay"] else None
    if delay is not None and (kind not in _DELAYED or found["gone"]):
        raise BadArgument(f"“{text[:60]}”: only precedes and follows take days, as in “+2”.")
    return RelationChange(kind, int(found["other"]), bool(found["gone"]), delay)


def relation_id(issue: Mapping[str, Any], change: RelationChange) -> int | None:
    """The id of an issue's relation that fits, from a read with ``include=relations``."""
    for relation in issue.get("relations", ()):
        kind, other = relation["relation_type"], relation["issue_to_id"]
        if other == issue["id"]:
            kind, other = _REVERSED.get(kind, kind), relation["issue_id"]
        if other == change.other and change.kind in {"", kind}:
            return int(relation["id"])
    return None


async def watcher_changes(
    redmine: Redmine, written: Iterable[str | int], project: str
) -> list[WatcherChange]:
    """Read ``watchers``. Raises ``BadArgument`` with the names there are."""
    changes = []
    for text in map(str, written):
        gone, name = text.strip().startswith("-"), text.strip().removeprefix("-").strip()
        user_id, known_as = await person(redmine, name, project)
        changes.append(WatcherChange(user_id, known_as, gone))
    return changes
