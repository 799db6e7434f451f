"""How a supervisor knows that a worker's event loop turns: a byte in a pipe, every few seconds.

Neither side ever waits for the other. A beat that finds the pipe full is dropped, and beats lie in
the pipe until the supervisor looks. It counts how often it looked in vain, and not the time: where
both stood still, as in a laptop that slept, nobody was silent.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

_ALIVE, _SERVING = b".", b"!"
_AT_ONCE = 65_536
"""Bytes to read; a pipe holds as many."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a supervisor bears the silence of a worker."""

    every: float = 3.0
    """Seconds between two beats, and between two looks for them."""
    looks: int = 10
    """So many looks in vain, one after the other, are too many."""
    looks_at_start: int = 40
    """The same, before the first beat: Python has a lot of code to read until then."""
    last_words: float = 1.0
    """Seconds in which a worker may write down where its threads are."""


class Heart:
    """A worker's end of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        os.set_blocking(pipe.fileno(), False)

    def serving(self) -> None:
        """Say that the worker serves."""
        self._say(_SERVING)

    @asynccontextmanager
    async def beating(self, every: float) -> AsyncIterator[None]:
        """Beat every so many seconds, as long as the event loop turns."""
        beats = asyncio.create_task(self._beat(every), name="heartbeat")
        try:
            yield
        finally:
            beats.cancel()

    async def _beat(self, every: float) -> None:
        while True:
            self._say(_ALIVE)
            await asyncio.sleep(every)

    def _say(self, what: bytes) -> None:
        # The supervisor has stopped reading, or has died: neither is this one's to mend.
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._pipe.fileno(), what)


class Ear:
    """The supervisor's end of the pipe."""

    def __init__(self, pipe: Connection, *, on_serving: Callable[[], None]) -> None:
        self._pipe = pipe
        self._on_serving = on_serving
        self._spoken = False
        self.has_served = False
        """Whether the worker came as far as to serve."""
        os.set_blocking(pipe.fileno(), False)
        # Only until it serves: later on, nobody is to be woken for a beat.
        asyncio.get_running_loop().add_reader(pipe.fileno(), self._listen)

    async def silence(self, patience: Patience) -> float:
        """Wait until the worker has been silent for too long; for how many seconds it was."""
        in_vain, most = 0, patience.looks_at_start
        while in_vain < most:
            await asyncio.sleep(patience.every)
            self._listen()
            if self._spoken:
                in_vain, most = 0, patience.looks
            else:
                in_vain += 1
            self._spoken = False
        return in_vain * patience.every

    def _listen(self) -> None:
        try:
            said = os.read(self._pipe.fileno(), _AT_ONCE)
        except BlockingIOError:
            return
        if said:
            self._spoken = True
        else:
            self._wait_no_more()
        if _SERVING in said:
            self._wait_no_more()
            self.has_served = True
            self._on_serving()

    def _wait_no_more(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pipe.fileno())

    def close(self) -> None:
        self._wait_no_more()
        self._pipe.close()
