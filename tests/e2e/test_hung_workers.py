"""A worker whose event loop stands still: its supervisor notices, says where, and replaces it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from redmine_mcp_core.workers import Patience
from tests.support.processes import until
from tests.support.servers import Target, free_port, server_environment
from tests.support.sign_in import sign_in
from tests.support.workers import workers, workers_process

CANARY = "canary-4711"
HANGS_WHEN_TOLD = f"""
import signal, sys, time

def stand_still(*_):
    subject = "{CANARY}"
    time.sleep(3600)

if "--multiprocessing-fork" in sys.argv:
    signal.signal(signal.SIGUSR1, stand_still)
"""
HANGS_AT_ONCE = """
import sys, time
if "--multiprocessing-fork" in sys.argv:
    time.sleep(3600)
"""
PATIENCE = Patience(every=0.1, looks=25, looks_at_start=600, last_words=0.5)
"""Two and a half seconds: a busy machine is no reason to kill anybody."""
LIMIT = PATIENCE.every * PATIENCE.looks


@pytest.fixture
def environment(sandbox: Target, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(HANGS_WHEN_TOLD)
    return server_environment(
        sandbox, free_port(), tmp_path / "tokens.sqlite3", PYTHONPATH=str(tmp_path / "site")
    )


async def test_a_worker_that_hangs_is_replaced(tmp_path: Path, environment: dict[str, str]) -> None:
    """The other one answers meanwhile; sign-ins hold; where it hung is told, and no value is."""
    async with workers(tmp_path, environment, patience=PATIENCE) as running:
        tokens = await sign_in(running.url)
        hung = running.pids[0]
        os.kill(hung, signal.SIGUSR1)
        meanwhile = await running.call(tokens, 10)
        noticed_too_early = await running.process.says("worker_hung")
        await running.serve(3)
        afterwards = await running.call(tokens, 20)
        said = running.process.stderr
        running.process.send(signal.SIGTERM)
        code = await running.process.exit_code()

    assert {200} == meanwhile == afterwards
    assert not noticed_too_early
    assert said.count("worker_hung") == said.count("worker_died") == 1
    assert f"pid={hung}" in said.partition("worker_hung")[2].partition("\n")[0]
    assert "exit_code=-9" in said
    assert "in stand_still" in said.partition("worker_hung")[2]
    assert "Thread 0x" in said  # the others, too
    assert CANARY not in said
    assert tokens.access not in said
    assert code == 0


async def test_all_workers_show_where_they_are(tmp_path: Path, environment: dict[str, str]) -> None:
    """When the first process is told to ask them; and then they go on."""
    async with workers(tmp_path, environment) as running:
        running.process.send(signal.SIGUSR2)

        async def both_have_said_it() -> bool:
            return running.process.stderr.count("Current thread") == 2

        await until(both_have_said_it)
        await running.process.serves(running.url)
        running.process.send(signal.SIGTERM)
        code = await running.process.exit_code()

    assert code == 0
    assert "worker_died" not in running.process.stderr


async def test_a_worker_that_hangs_before_it_serves_is_ended(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """With more patience, as a start takes long; three on end end the server."""
    (tmp_path / "site" / "sitecustomize.py").write_text(HANGS_AT_ONCE)
    patience = Patience(every=0.02, looks=1, looks_at_start=10, last_words=0.1)
    async with workers_process(tmp_path, environment, patience=patience) as process:
        code = await process.exit_code()

    assert code == 1
    assert process.stderr.count("worker_hung") == 3
    assert "workers_cannot_start" in process.stderr


async def test_where_all_stand_still_nobody_is_killed(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """A laptop that slept, a machine that was paused: the supervisor has not looked in vain. One
    that is stopped alone holds up nobody."""
    async with workers(tmp_path, environment, patience=PATIENCE) as running:
        tokens = await sign_in(running.url)
        supervisor = running.process.pid
        for pid in (*running.pids, supervisor):
            os.kill(pid, signal.SIGSTOP)
        deadline = time.monotonic() + LIMIT

        async def paused_for_longer_than_it_bears() -> bool:
            return time.monotonic() > deadline

        await until(paused_for_longer_than_it_bears)
        for pid in (supervisor, *running.pids):
            os.kill(pid, signal.SIGCONT)
        after_the_pause = await running.call(tokens, 10)
        os.kill(supervisor, signal.SIGSTOP)
        without_supervisor = await running.call(tokens, 10)
        os.kill(supervisor, signal.SIGCONT)
        running.process.send(signal.SIGTERM)
        code = await running.process.exit_code()

    assert {200} == after_the_pause == without_supervisor
    assert "worker_hung" not in running.process.stderr
    assert code == 0
