"""What the rows of a list have in common, so that it is said once and not on each of them.

Rows are taken as columns of values. A value that a heading says, or that is as usual, is left out
of a row; a value is called usual only where no other column has it, so that a reader always knows
which one is meant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Columns = tuple[str | None, ...]
"""Values of an issue in the order of ``NAMES``."""

NAMES = ("project", "status", "tracker", "priority", "assigned_to")
STATUS, TRACKER = NAMES.index("status"), NAMES.index("tracker")
NOTHING: Columns = (None,) * len(NAMES)


def only(row: Columns, at: int) -> Columns:
    """Of a row's values, one."""
    return (*NOTHING[:at], row[at], *NOTHING[at + 1 :])


def shared(rows: Sequence[Columns]) -> Columns:
    """The values that all rows have, column by column; of a row alone, the status."""
    if len(rows) == 1:
        return only(rows[0], STATUS)
    columns = zip(*rows, strict=True)
    return tuple(column[0] if len(set(column)) == 1 else None for column in columns)


def beyond(values: Columns, *said: Columns) -> Columns:
    """The values, without those that were said already."""
    return tuple(
        None if value in told else value for value, *told in zip(values, *said, strict=True)
    )


def joined(values: Columns) -> str:
    return ", ".join(filter(None, values))


@dataclass(frozen=True, slots=True)
class Usual:
    """What rows have unless they tell otherwise."""

    columns: Columns = NOTHING
    statuses: Mapping[str, str] = field(default_factory=dict)
    """By tracker, where it has a usual status of its own: kinds of issues go their own ways."""

    @classmethod
    def of(cls, rows: Sequence[Columns], said: Columns) -> Usual:
        """What is most common in each column, where it saves something."""
        counts = [Counter(column) for column in zip(*rows, strict=True)]
        alone = [
            {value for value in counted if not any(value in other for other in others)}
            for at, counted in enumerate(counts)
            for others in [counts[:at] + counts[at + 1 :]]
        ]
        columns: list[str | None] = []
        for at, counted in enumerate(counts):
            value, times = counted.most_common(1)[0]
            saves = said[at] is None and times > 2 and value in alone[at]
            columns.append(value if saves else None)
        by_tracker: dict[str, Counter[str]] = defaultdict(Counter)
        if said[STATUS] is None and said[TRACKER] is None:
            for row in rows:
                by_tracker[row[TRACKER] or ""][row[STATUS] or ""] += 1
        statuses = {}
        for tracker, counted in by_tracker.items():
            status, times = counted.most_common(1)[0]
            others = counted[columns[STATUS] or ""]
            told_apart = status in alone[STATUS] and tracker in alone[TRACKER]
            if told_apart and times > others + 2:
                statuses[tracker] = status
        return cls(tuple(columns), statuses)

    def text(self) -> str:
        own = (f"{tracker}: {status}" for tracker, status in self.statuses.items())
        return "; ".join(filter(None, [joined(self.columns), ", ".join(own)]))

    def of_row(self, row: Columns) -> Columns:
        """What need not be said of this row."""
        status = self.statuses.get(row[TRACKER] or "", self.columns[STATUS])
        return (*self.columns[:STATUS], status, *self.columns[STATUS + 1 :])
