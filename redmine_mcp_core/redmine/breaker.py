"""A circuit breaker: while Redmine is dead, nobody waits for it to say so.

It counts in one process only. Each process notices within a few requests by itself, and sharing
the state would make one process with a broken network cut off all the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from redmine_mcp_core.redmine.errors import RedmineError, ServerError, TimedOut, Unreachable

FAILURES = 10
"""So many failures on end open the circuit: more than one call makes with all its tries."""
PAUSE = 5.0
"""Seconds until a probe is let through."""
OUTAGE_STATUSES = frozenset({502, 503, 504})
"""A proxy's words for "not now". A plain 500 is Redmine's own failure: it is alive."""


class Circuit(StrEnum):
    CLOSED = "closed"
    """Requests pass."""
    OPEN = "open"
    """Requests are answered at once, without asking Redmine."""
    PROBING = "probing"
    """One request is on its way to see whether Redmine is back; the others are still answered."""


class Breaker:
    """Opens after some failures on end, lets one probe through after a pause, and closes again."""

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[Circuit], None] = lambda _: None,
    ) -> None:
        """``pause`` is seconds; ``on_change`` is told of each new state."""
        self.circuit = Circuit.CLOSED
        self._limit = failures
        self._pause = pause
        self._clock = clock
        self._on_change = on_change
        self._failures = 0
        self._probe_at = 0.0

    def check(self) -> None:
        """Raise ``Unreachable`` if a request would not be let through now."""
        waits = self._probe_at - self._clock()
        if self.circuit is Circuit.PROBING or (self.circuit is Circuit.OPEN and waits > 0):
            raise Unreachable(retry_after=max(waits, 1.0))

    @contextmanager
    def attempt(self, *, patient: bool = True) -> Iterator[None]:
        """Let one request through, and see how it ends. Raises ``Unreachable`` if none may pass.

        A time-out of one that is not ``patient`` says nothing of Redmine.
        """
        self.check()
        probing = self.circuit is Circuit.OPEN
        if probing:
            self._turn(Circuit.PROBING)
        try:
            yield
        except RedmineError as error:
            if isinstance(error, TimedOut) and not patient:
                self._unknown(probing)
            elif is_outage(error):
                self._failed(probing)
            else:
                self._answered(probing)
            raise
        except BaseException:
            self._unknown(probing)  # nobody waited for the answer
            raise
        self._answered(probing)

    def _answered(self, probing: bool) -> None:
        self._failures = 0
        # What was sent before the circuit opened may be answered late; it says nothing of now.
        if probing:
            self._turn(Circuit.CLOSED)

    def _unknown(self, probing: bool) -> None:
        if probing:
            self._turn(Circuit.OPEN)  # the next request is the probe

    def _failed(self, probing: bool) -> None:
        self._failures += 1
        if probing or (self.circuit is Circuit.CLOSED and self._failures >= self._limit):
            self._probe_at = self._clock() + self._pause
            self._turn(Circuit.OPEN)

    def _turn(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self._on_change(circuit)


def is_outage(error: RedmineError) -> bool:
    """Whether it means that Redmine itself did not answer."""
    if isinstance(error, ServerError):
        return error.status in OUTAGE_STATUSES
    return isinstance(error, Unreachable | TimedOut)
