"""An issue, read as the caller."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from redmine_mcp_core import Forbidden, NotFound, Redmine


async def issue_of(
    redmine: Redmine, issue_id: int, include: Collection[str] = ()
) -> dict[str, Any]:
    """An issue with what is included. Raises ``NotFound`` for one that is hidden, too.

    Redmine tells hidden from missing (403 and 404); a caller need not learn which it was.
    """
    try:
        answer = await redmine.get(f"/issues/{issue_id}.json", include=set(include) or None)
    except (NotFound, Forbidden):
        raise NotFound(f"Issue #{issue_id}") from None
    issue: dict[str, Any] = answer["issue"]
    return issue
