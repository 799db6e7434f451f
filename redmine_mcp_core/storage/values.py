"""What every backend checks before it writes, in one place so that all of them say the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, SupportsFloat


def to_json(value: Mapping[str, Any]) -> str:
    """Return a value's text, always the same one; raise ``TypeError`` if JSON cannot hold it."""
    return json.dumps(dict(value))


def seconds(ttl: SupportsFloat) -> float:
    """Return a time to live; raise ``ValueError`` unless it is positive and finite."""
    number = float(ttl)
    if not 0 < number < math.inf:
        raise ValueError("a time to live must be a positive, finite number of seconds")
    return number


def addend(by: int) -> int:
    """Return what to add to a counter; raise ``ValueError`` if that would not count up."""
    if by < 1:
        raise ValueError("a counter only counts up: by must be at least 1")
    return by
