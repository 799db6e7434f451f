"""From what a person typed to what Redmine knows; whatever is unknown answers with what there is.

Prompt arguments are text (MCP specification, server/prompts), so they are read here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Coroutine, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from redmine_mcp_core import BadArgument, Forbidden, NotFound, Redmine, line

AT_ONCE = 4
"""Requests at the same time for one prompt, so that it does not take all of Redmine's workers."""

_IDENTIFIER = re.compile(r"[a-z0-9_-]{1,100}")
"""app/models/project.rb; a number is an id."""
_NUMBER = re.compile(r"#?([1-9][0-9]{0,8})")

_T = TypeVar("_T")


def issue_number(typed: str) -> int:
    """``12`` or ``#12``. Raises ``BadArgument``."""
    if not (found := _NUMBER.fullmatch(typed.strip())):
        raise BadArgument(f"“{line(typed)[:40]}” is no issue number, such as 12.")
    return int(found[1])


async def find_project(redmine: Redmine, typed: str, include: str | None = None) -> dict[str, Any]:
    """The project by identifier, id or name. Raises ``BadArgument`` with those there are."""
    wanted = typed.strip()
    if _IDENTIFIER.fullmatch(wanted):
        try:
            return await _project(redmine, wanted, include)
        except (NotFound, Forbidden):
            # Redmine tells hidden from missing (403 and 404); a caller need not learn which.
            pass
    number = await redmine.id_of("projects", wanted)
    return await _project(redmine, str(number), include)


async def _project(redmine: Redmine, reference: str, include: str | None) -> dict[str, Any]:
    project: dict[str, Any] = (await redmine.get(f"/projects/{reference}.json", include=include))[
        "project"
    ]
    return project


def today() -> date:
    """The day it is in UTC, in which Redmine's API tells its times."""
    return datetime.now(UTC).date()


def last_workday() -> date:
    """Yesterday, and on a Sunday or Monday the Friday before it."""
    day = today() - timedelta(days=1)
    return day - timedelta(days=max(0, day.weekday() - 4))


def day_of(typed: str, otherwise: date) -> date:
    """The day that was typed. Raises ``BadArgument``."""
    try:
        day = date.fromisoformat(typed.strip()) if typed.strip() else otherwise
    except ValueError:
        raise BadArgument("since is a day, such as 2026-01-31.") from None
    if day > today():
        raise BadArgument("since lies in the future.")
    return day


async def few(*asked: Awaitable[_T]) -> list[_T]:
    """All of them, a few at a time."""
    limited = asyncio.Semaphore(AT_ONCE)

    async def one(awaited: Awaitable[_T]) -> _T:
        async with limited:
            return await awaited

    return await asyncio.gather(*map(one, asked))


async def if_shown(asked: Coroutine[Any, Any, _T]) -> _T | None:
    """What was asked, or None where the caller may not see it."""
    try:
        return await asked
    except (Forbidden, NotFound):
        return None


async def issues(redmine: Redmine, *, limit: int, **filters: Any) -> dict[str, Any]:
    """One page of issues, and how many there are in all (``total_count``)."""
    project = filters.pop("project", None)
    path = f"/projects/{project['id']}/issues.json" if project else "/issues.json"
    return await redmine.get(path, limit=limit, **filters)


def without(issues: Sequence[dict[str, Any]], known: set[int]) -> list[dict[str, Any]]:
    """The issues that are not among the known ones."""
    return [issue for issue in issues if issue["id"] not in known]
