"""The folder of the workers' metrics: gone with its supervisor, however that ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from redmine_mcp_core.observability.worker_metrics import METRICS_DIR
from redmine_mcp_core.workers.metrics_folder import metrics_folder

SUPERVISOR = """
import os, sys
from redmine_mcp_core.workers.metrics_folder import metrics_folder
with metrics_folder():
    print(os.environ["PROMETHEUS_MULTIPROC_DIR"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, for this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(METRICS_DIR, raising=False)
    return tmp_path


@contextmanager
def supervisor(temporary: Path) -> Iterator[Path]:
    """One in a process of its own, killed at the end; its folder, with something in it."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().strip())
        (folder / "counter_4711.db").write_text("")
        yield folder
        process.kill()


def test_a_folder_of_the_operators_is_emptied_of_metrics_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier run counted must not count again; a token store beside it is not ours."""
    monkeypatch.setenv(METRICS_DIR, str(tmp_path))
    for name in ("counter_1.db", "counter_dead.db", "gauge_livemostrecent_1.db", "tokens.db"):
        (tmp_path / name).touch()
    with metrics_folder():
        assert [path.name for path in tmp_path.iterdir()] == ["tokens.db"]


def test_what_a_killed_supervisor_left_is_removed(temporary: Path) -> None:
    """By the next one that starts; what a living one uses stays."""
    with supervisor(temporary) as killed:
        pass
    assert killed.exists()
    with supervisor(temporary) as lives, metrics_folder():
        assert not killed.exists()
        assert (lives / "counter_4711.db").exists()
        assert os.environ[METRICS_DIR] not in {str(killed), str(lives)}
    assert METRICS_DIR not in os.environ


@pytest.mark.usefixtures("somebody_else")
def test_what_somebody_else_left_stays(temporary: Path) -> None:
    """The folder for temporary files is everybody's."""
    with supervisor(temporary) as killed:
        pass
    with metrics_folder():
        assert killed.exists()


@pytest.fixture
def somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


def test_only_what_is_surely_left_goes(
    temporary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No folder that a supervisor is about to take, no file of this name, nothing behind a link."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "supervisor").write_text("")
    (temporary / "redmine-mcp-metrics-link").symlink_to(elsewhere)
    (temporary / "redmine-mcp-metrics-file").write_text("")
    (temporary / "redmine-mcp-metrics-new").mkdir()
    with metrics_folder():
        pass

    assert (elsewhere / "supervisor").exists()
    assert len(list(temporary.iterdir())) == 3


def test_a_folder_that_the_operator_named_is_emptied_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier run counted would be counted again."""
    named = tmp_path / "named"
    named.mkdir()
    (named / "counter_4711.db").write_text("")
    (named / "notes.txt").write_text("")
    monkeypatch.setenv(METRICS_DIR, str(named))
    with metrics_folder():
        assert [path.name for path in named.iterdir()] == ["notes.txt"]
    assert named.exists()
