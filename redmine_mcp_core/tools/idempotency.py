"""A request that is carried out once, however often and wherever it arrives.

A model whose call timed out calls again, and what it makes would be there twice. So it may carry a
key: what was made is noted down where every replica reads it, and the next call with that key gets
the first one. Of several at once only one works. Where a call died after its POST and before its
note, the next one finds that it had begun, and looks in Redmine for what may have come of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from redmine_mcp_core.redmine import BadArgument, RedmineError
from redmine_mcp_core.tools.notebook import Notebook

KEPT_SECONDS = 24 * 3600
WORKING_SECONDS = 120
"""Longer than a POST to Redmine takes, unless REDMINE_TIMEOUT says otherwise."""
WAITING_SECONDS = 60


def fingerprint(arguments: dict[str, Any]) -> str:
    """What tells two requests apart that carry the same key."""
    text = json.dumps(arguments, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


async def once(
    notebook: Notebook,
    key: str,
    print_: str,
    *,
    make: Callable[[], Awaitable[int]],
    find: Callable[[datetime], Awaitable[int | None]],
) -> tuple[int, bool]:
    """The id of what ``make`` made, now or at an earlier call, and whether it was now.

    ``find`` looks for what an earlier call may have made since the moment it is given. A failure
    of ``make`` after which it may have been done leaves the note; any other takes it back. Raises
    ``BadArgument`` if the key was used for something else, ``NotebookFailed``, and what ``make``
    raises.
    """
    name = f"once:{hashlib.sha256(key.encode()).hexdigest()}"
    async with notebook.alone(name, ttl=WORKING_SECONDS, wait=WAITING_SECONDS):
        note = await notebook.recall(name)
        if note and note["print"] != print_:
            raise BadArgument(
                "This idempotency key was used for other values. Take a new key for another one."
            )
        if note and (known := note.get("made")):
            return int(known), False
        if note and (found := await find(datetime.fromisoformat(note["begun"]))):
            await notebook.remember(name, {**note, "made": found}, ttl=KEPT_SECONDS)
            return found, False
        note = {"print": print_, "begun": datetime.now(UTC).isoformat()}
        await notebook.remember(name, note, ttl=KEPT_SECONDS)
        try:
            made = await make()
        except RedmineError as error:
            if not error.retryable:
                await notebook.forget(name)
            raise
        await notebook.remember(name, {**note, "made": made}, ttl=KEPT_SECONDS)
        return made, True
