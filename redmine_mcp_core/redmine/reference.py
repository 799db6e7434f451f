"""Names of what an administrator defines once and nobody changes by the minute."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from cachetools import TTLCache

KEPT_SECONDS = 300

Kind = Literal["issue_statuses", "trackers", "issue_priorities", "time_entry_activities"]

_PATHS: dict[Kind, str] = {
    "issue_statuses": "/issue_statuses.json",
    "trackers": "/trackers.json",
    "issue_priorities": "/enumerations/issue_priorities.json",
    "time_entry_activities": "/enumerations/time_entry_activities.json",
}

Get = Callable[[str], Awaitable[dict[str, Any]]]


class ReferenceData:
    """Id to name, asked of Redmine once and shared by all callers.

    Redmine shows these lists to everybody who may use its API, without any scope.
    """

    def __init__(self) -> None:
        self._kept: TTLCache[Kind, dict[int, str]] = TTLCache(len(_PATHS), KEPT_SECONDS)

    async def names(self, kind: Kind, get: Get) -> dict[int, str]:
        """The names by id; ``get`` asks Redmine as somebody who may. Raises ``RedmineError``."""
        known = self._kept.get(kind)
        if known is None:
            answer = await get(_PATHS[kind])
            known = {int(item["id"]): str(item["name"]) for item in answer.get(kind, ())}
            self._kept[kind] = known
        return known
