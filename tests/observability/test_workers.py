"""Metrics of several workers: each counts for itself, and whoever is asked adds up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmine_mcp_core.observability.worker_metrics import METRICS_DIR, worker_ended

WORKER = """
import sys
from redmine_mcp_core import Event, EventKind
from redmine_mcp_core.observability.counting import count
from redmine_mcp_core.observability.metrics import Metrics
metrics = Metrics()
count(metrics, Event(EventKind.TOOL_CALLED, tool="look", seconds=0.02, size=40))
metrics.set("redmine_circuit_open", float(sys.argv[1]), "")
metrics.set("plugin_up", float(sys.argv[2]), "issues")
sent = metrics.of_plugin("mail").counter("sent", "Mails sent.")
sent.inc(2)
print(metrics.render().decode())
sys.stdout.flush()
sys.stdin.read()
"""


class Workers:
    """Processes as ``--workers`` starts them: all with the same folder for their metrics."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> str:
        """Start one that lives on; what /metrics says there."""
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, *arguments],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(self.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(worker)
        assert worker.stdout
        lines = []
        while (line := worker.stdout.readline()).strip():
            lines.append(line.strip())
        return "\n".join(lines)

    def end(self) -> None:
        for worker in self.running:
            worker.communicate("")

    def end_first(self) -> int:
        """End the one that was started first; its process id."""
        worker = self.running.pop(0)
        worker.communicate("")
        return worker.pid

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.db"))


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(tmp_path)
    yield workers
    workers.end()


def test_all_workers_show_as_one(workers: Workers) -> None:
    """Counters and histograms add up, plugins' too; of gauges the one counts that matters."""
    workers.start("0", "1")
    shown = workers.start("1", "0").splitlines()

    assert 'redmine_mcp_tool_calls_total{outcome="ok",tool="look"} 2.0' in shown
    assert 'redmine_mcp_tool_call_seconds_count{tool="look"} 2.0' in shown
    assert 'redmine_mcp_tool_call_seconds_bucket{le="0.025",tool="look"} 2.0' in shown
    assert 'redmine_mcp_answer_tokens_total{tool="look"} 20.0' in shown
    assert "redmine_mcp_plugin_mail_sent_total 4.0" in shown
    assert 'redmine_mcp_redmine_circuit_open{redmine=""} 1.0' in shown
    assert 'redmine_mcp_plugin_up{plugin="issues"} 0.0' in shown
    assert len([line for line in shown if line.startswith("redmine_mcp_build_info{")]) == 1


def test_a_worker_that_died_leaves_its_counts_and_no_files(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come and go: nothing is lost, no gauge lives on, and the folder stays small."""
    monkeypatch.setenv(METRICS_DIR, str(workers.folder))
    for _ in range(3):
        workers.start("1", "0")
    for _ in range(3):
        worker_ended(workers.end_first())
    of_the_dead = workers.files
    shown = workers.start("0", "1").splitlines()

    assert of_the_dead == ["counter_dead.db", "histogram_dead.db"]
    assert 'redmine_mcp_tool_calls_total{outcome="ok",tool="look"} 4.0' in shown
    assert 'redmine_mcp_tool_call_seconds_count{tool="look"} 4.0' in shown
    assert 'redmine_mcp_tool_call_seconds_bucket{le="0.01",tool="look"} 0.0' in shown
    assert 'redmine_mcp_tool_call_seconds_bucket{le="0.025",tool="look"} 4.0' in shown
    assert 'redmine_mcp_tool_call_seconds_bucket{le="+Inf",tool="look"} 4.0' in shown
    assert 'redmine_mcp_redmine_circuit_open{redmine=""} 0.0' in shown
    assert 'redmine_mcp_plugin_up{plugin="issues"} 1.0' in shown


def test_a_worker_that_never_counted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that died at its start is forgotten without a trace."""
    monkeypatch.setenv(METRICS_DIR, str(tmp_path))

    worker_ended(4711)

    assert not list(tmp_path.glob("*.db"))
