"""Several processes behind one port: they share what they must, and one that dies comes back."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from redmine_mcp_core.workers.metrics_folder import metrics_folder
from tests.support.processes import Process, listens, until
from tests.support.servers import Target, free_port, running_server, server_environment
from tests.support.sign_in import refresh, sign_in
from tests.support.workers import workers


@pytest.fixture
def environment(sandbox: Target, tmp_path: Path) -> dict[str, str]:
    return server_environment(sandbox, free_port(), tmp_path / "tokens.sqlite3")


async def test_workers_share_sign_ins_and_metrics(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Whichever of them is asked knows the sign-in, and tells of the requests of all."""
    async with workers(tmp_path, environment) as running:
        tokens = await sign_in(running.url)
        statuses = await running.call(tokens, 40)
        renewed = await refresh(running.url, tokens)
        name = r'redmine_mcp_http_requests_total\{route="/mcp",status="200"\}'
        counted = {await running.metric(name) for _ in range(6)}
        running.process.send(signal.SIGTERM)
        code = await running.process.exit_code()

    assert statuses == {200}
    assert renewed.status_code == 200
    assert counted == {40.0}
    assert code == 0
    assert running.process.stdout.count("claude mcp add") == 1


async def test_sessions_are_not_counted_once_per_worker(
    sandbox: Target, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Each counts those of all, so that their sum would be too many."""
    async with running_server(sandbox, token_store_url=environment["TOKEN_STORE_URL"]) as before:
        await sign_in(before.url)
    async with workers(tmp_path, environment) as running:
        name = r'redmine_mcp_sessions\{redmine=""\}'
        counted = [await running.metric(name) for _ in range(6)]

    assert counted == [1] * 6


async def test_workers_share_limits(tmp_path: Path, environment: dict[str, str]) -> None:
    """Both together let through what one would."""
    async with workers(tmp_path, {**environment, "MCP_LIMIT_USER": "15"}) as running:
        tokens = await sign_in(running.url)
        within = await running.call(tokens, 15)
        beyond = await running.call(tokens, 5)

    assert (within, beyond) == ({200}, {429})


async def test_a_worker_that_dies_comes_back(tmp_path: Path, environment: dict[str, str]) -> None:
    """Killed, it is replaced, and the others go on meanwhile; sign-ins hold."""
    async with workers(tmp_path, environment) as running:
        tokens = await sign_in(running.url)
        os.kill(running.pids[0], signal.SIGKILL)
        await until(lambda: running.process.says("worker_died"))
        meanwhile = await running.call(tokens, 10)
        await running.serve(3)
        afterwards = await running.call(tokens, 20)
        running.process.send(signal.SIGTERM)
        code = await running.process.exit_code()

    assert {200} == meanwhile == afterwards
    assert len(set(running.pids)) == 3
    assert code == 0
    assert "Traceback" not in running.process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_whole_group_may_get_the_signal(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    """Ctrl-C, and a service manager, signal the workers as well: that is not "told twice"."""
    async with workers(tmp_path, environment) as running:
        for pid in running.pids:
            os.kill(pid, number)
        running.process.send(number)
        code = await running.process.exit_code()

    assert code == 0
    assert "Traceback" not in running.process.stderr


async def test_no_worker_outlives_its_supervisor(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, it leaves nobody behind who would hold the port or the folder of the metrics."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    async with workers(tmp_path, {**environment, "TMPDIR": str(folder)}) as running:
        running.process.send(signal.SIGKILL)
        await running.process.exit_code()
        await running.process.stops_listening(running.port)
    left = number_in(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with metrics_folder():
        pass

    assert (left, number_in(folder)) == (1, 0)


def number_in(folder: Path) -> int:
    return len(list(folder.iterdir()))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TOKEN_STORE_URL": "memory:"}, "must name a store that processes can share"),
        ({"TOKEN_STORE_URL": "sqlite:////dev/null/x.sqlite3"}, "/dev/null/x.sqlite3"),
    ],
)
async def test_wrong_settings_are_told_once(
    tmp_path: Path, environment: dict[str, str], settings: dict[str, str], sentence: str
) -> None:
    """One sentence, code 2, and nothing ever listens."""
    environment |= settings
    async with Process(tmp_path / "p", environment, "serve", "--workers", "3") as process:
        code = await process.exit_code()

    assert code == 2
    assert process.stderr.count(sentence) == 1
    assert "Traceback" not in process.stderr
    assert not process.stdout
    assert not await listens(int(environment["MCP_PORT"]))


async def test_workers_that_cannot_start_end_the_server(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """After three tries, with an error and a code that is not 0, so that somebody notices."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif '--multiprocessing-fork' in sys.argv: os._exit(7)\n"
    )
    environment["PYTHONPATH"] = str(tmp_path)
    async with Process(tmp_path / "p", environment, "serve", "--workers", "2") as process:
        code = await process.exit_code()

    assert code == 1
    assert process.stderr.count("worker_died") == 2
    assert "workers_cannot_start" in process.stderr
    assert not await listens(int(environment["MCP_PORT"]))
