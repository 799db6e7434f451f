"""Where something failed, without what it held: a message of an exception may be anything.

``KeyError('a subject')``, ``ValueError('token abc')``: who wrote them cannot know what is secret to
whom. So a log line gets the types and the places, and a message only from those that say of
themselves that it holds nothing of anybody's (``safe_to_log``), and from the operating system.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

MOST_FRAMES = 40


def places(error: BaseException) -> str:
    """The frames of an exception and of those that led to it, innermost last."""
    return "\n".join(_chain(error, frozenset()))


def _chain(error: BaseException, seen: frozenset[int]) -> Iterator[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None and id(earlier) not in seen:
        yield from _chain(earlier, seen | {id(error)})
        yield "which led to:"
    frames = traceback.extract_tb(error.__traceback__)
    if len(frames) > MOST_FRAMES:
        yield f"  ({len(frames) - MOST_FRAMES} more frames)"
    for frame in frames[-MOST_FRAMES:]:
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    yield described(error)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield "of which:"
            yield from _chain(one, seen | {id(error)})


def described(error: BaseException) -> str:
    """The type of an exception, and what it says where that is safe."""
    name = type(error).__qualname__
    if getattr(error, "safe_to_log", False):
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name


def without_messages(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor in place of ``format_exc_info``."""
    info = event.pop("exc_info", None)
    if isinstance(info, BaseException):
        error: BaseException | None = info
    elif isinstance(info, tuple):
        error = info[1]
    else:
        error = sys.exc_info()[1] if info else None
    if error is not None:
        event["exception"] = places(error)
    return event
