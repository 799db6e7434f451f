"""Time spent, as people write it: 1.5, 1:30, 1h30.

Redmine takes these too (``to_hours`` in lib/redmine/core_ext/string/conversions.rb), but says of
anything else no more than that it is invalid.
"""

from __future__ import annotations

import math
import re

from redmine_mcp_core.redmine.errors import BadArgument

MINUTES = 60

_DECIMAL = re.compile(r"(\d{1,6}(?:[.,]\d{1,9})?)\s*(?:h|hours?)?")
_CLOCK = re.compile(r"(\d{1,6}):([0-5]\d)")
_SPOKEN = re.compile(r"(?:(\d{1,6})\s*(?:h|hours?)\s*)?(?:(\d{1,6})\s*(?:m|mins?|minutes?)?)?")


def hours_of(wanted: float | str) -> float:
    """Hours, as a decimal. Raises ``BadArgument`` with what would do."""
    text = str(wanted).strip().casefold()
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        if math.isfinite(wanted) and wanted >= 0:
            return float(wanted)
    elif decimal := _DECIMAL.fullmatch(text):
        return float(decimal[1].replace(",", "."))
    elif clock := _CLOCK.fullmatch(text):
        return int(clock[1]) + int(clock[2]) / MINUTES
    elif text and (spoken := _SPOKEN.fullmatch(text)):
        hours, minutes = int(spoken[1] or 0), int(spoken[2] or 0)
        if not hours or minutes < MINUTES:
            return hours + minutes / MINUTES
    raise BadArgument(f"“{text[:40]}” is no number of hours. Write it like 1.5, 1:30 or 1h30.")
