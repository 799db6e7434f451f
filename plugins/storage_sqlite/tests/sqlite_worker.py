"""Processes for the tests to race and to kill: forked from here, where all is imported already.

Each line on stdin, ``<job> <path> <argument>``, starts one. It prints ``<pid> <word>`` for each
thing that it was told is done, and ``<pid> failed: ...`` if it could not go on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from redmine_mcp_storage_sqlite.store import SQLiteStore


def say(word: object) -> None:
    # One write, so that lines of several processes do not mix.
    os.write(1, f"{os.getpid()} {word}\n".encode())


async def write(path: Path, argument: str) -> None:
    """Put entries until killed; acknowledge each."""
    store = await SQLiteStore.open(path)
    number = 0
    while True:
        await store.put(f"{argument}-{number}", {"n": number, "filler": "x" * (number % 5000)})
        say(f"{argument}-{number}")
        number += 1


async def take(path: Path, argument: str) -> None:
    """Try to pop so many entries; acknowledge each that was won."""
    store = await SQLiteStore.open(path)
    for number in range(int(argument)):
        if await store.pop(f"key-{number}") is not None:
            say(f"key-{number}")
    say("done")
    await store.close()


JOBS = {"write": write, "take": take}


def main() -> None:
    for line in sys.stdin:
        job, path, argument = line.split()
        if os.fork() == 0:
            try:
                asyncio.run(JOBS[job](Path(path), argument))
            except BaseException as error:  # noqa: BLE001 - the test that reads this fails
                say(f"failed: {error!r}")
            finally:
                os._exit(0)


if __name__ == "__main__":
    main()
