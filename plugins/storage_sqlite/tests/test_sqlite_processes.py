"""Several processes on one file, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from redmine_mcp_storage_sqlite.store import SQLiteStore

WAVES, WRITERS = 5, 20
"""How often how many writers are killed."""


class Workers:
    """The process in ``sqlite_worker.py``, and what its children have said."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("sqlite_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.said: defaultdict[int, list[str]] = defaultdict(list)

    def start(self, job: str, path: Path, argument: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{job} {path} {argument}\n".encode())
        self.process.stdin.flush()

    def listen(self) -> int:
        assert self.process.stdout is not None
        return self._note(self.process.stdout.readline())

    def drain(self) -> None:
        """Hear all that was said by children that have ended, once nobody can add to it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        for line in self.process.stdout:
            self._note(line)
        self.process.wait(10)

    def _note(self, line: bytes) -> int:
        pid, word = line.decode().strip().split(maxsplit=1)
        assert not word.startswith("failed"), word
        self.said[int(pid)].append(word)
        return int(pid)


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    if workers.process.poll() is None:
        workers.process.kill()
        workers.process.wait(10)
    assert workers.process.stdin is not None
    assert workers.process.stdout is not None
    workers.process.stdin.close()
    workers.process.stdout.close()


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, workers: Workers) -> None:
    """A hundred writers killed at any moment, while others write: all they were told is there."""
    path = tmp_path / "tokens.sqlite3"
    killed: set[int] = set()
    for wave in range(WAVES):
        for number in range(WRITERS):
            workers.start("write", path, f"writer{wave}-{number}")
        while len(killed) < WRITERS * (wave + 1):
            pid = workers.listen()
            # Each one at another point of its work, in the order in which they get there.
            if pid not in killed and len(workers.said[pid]) > 3 * (len(killed) % WRITERS):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    workers.drain()

    assert len(workers.said) == WAVES * WRITERS
    acknowledged = [key for words in workers.said.values() for key in words]
    store = await SQLiteStore.open(path)
    values = await store.get_many(acknowledged)
    intact = store._writer.execute("PRAGMA integrity_check").fetchone()
    await store.close()
    assert [key for key, value in zip(acknowledged, values, strict=True) if value is None] == []
    assert intact == ("ok",)


async def test_processes_open_a_new_file_together(tmp_path: Path, workers: Workers) -> None:
    """Replicas that start at the same moment all get a working store."""
    for number in range(5):
        for _ in range(4):
            workers.start("take", tmp_path / f"tokens-{number}.sqlite3", 1)
    workers.drain()

    assert Counter(word for words in workers.said.values() for word in words) == {"done": 20}


async def test_of_many_processes_one_takes_an_entry(tmp_path: Path, workers: Workers) -> None:
    """An authorization code is redeemed once, whichever process is asked."""
    path = tmp_path / "tokens.sqlite3"
    keys = [f"key-{number}" for number in range(100)]
    store = await SQLiteStore.open(path)
    await store.put_many(keys, [{}] * len(keys))
    for _ in range(4):
        workers.start("take", path, len(keys))
    workers.drain()
    await store.close()

    taken = Counter(word for words in workers.said.values() for word in words)
    assert taken == {**dict.fromkeys(keys, 1), "done": 4}
