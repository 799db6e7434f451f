"""What operators are given for Prometheus and Grafana asks for metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from redmine_mcp_core.observability.metric_table import METRICS
from tests.support.programs import DEPLOY, program

RULES = DEPLOY / "prometheus"
NAME = re.compile(r"\b(redmine_mcp(?::[a-z0-9_]+)+|redmine_mcp_[a-z_]+|process_[a-z_]+)\b")
SELECTOR = re.compile(r"(redmine_mcp_[a-z_]+)\{([^}]*)\}")
PROCESS = {"process_resident_memory_bytes"}

LABELS: dict[str, set[str]] = {}
for metric in METRICS:
    names = [metric.exposed]
    if metric.kind == "histogram":
        names = [f"{metric.exposed}{suffix}" for suffix in ("_bucket", "_sum", "_count")]
    LABELS |= {name: set(metric.labels) for name in names}


def expressions(node: Any) -> Iterator[str]:
    """Everything in the dashboard that is asked of Prometheus."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for value in node.values():
            yield from expressions(value)
    elif isinstance(node, list):
        for value in node:
            yield from expressions(value)


def dashboard() -> list[str]:
    file = DEPLOY / "grafana" / "redmine-mcp.json"
    return list(expressions(json.loads(file.read_text(encoding="utf-8"))))


def rules() -> list[str]:
    return [(RULES / name).read_text(encoding="utf-8") for name in ("recording.yml", "alerts.yml")]


def recorded() -> set[str]:
    return set(re.findall(r"record: (\S+)", rules()[0]))


def test_every_metric_that_is_asked_for_exists() -> None:
    """In the dashboard, the alerts and the recording rules."""
    asked = {name for text in [*dashboard(), *rules()] for name in NAME.findall(text)}

    assert len(asked) > 15
    assert asked - set(LABELS) - recorded() - PROCESS == set()


def test_every_label_that_is_asked_for_exists() -> None:
    """A selector with a label that the metric has not finds nothing, and says so to nobody."""
    for text in [*dashboard(), *rules()]:
        for name, selector in SELECTOR.findall(text):
            labels = set(re.findall(r"([a-z_]+)\s*[=!]~?", selector))
            assert labels <= LABELS[name], name


def test_every_metric_is_on_the_dashboard() -> None:
    """By itself, or as what a rule makes of it."""
    asked = {name for text in [*dashboard(), rules()[0]] for name in NAME.findall(text)}
    for metric in METRICS:
        assert any(name.startswith(metric.exposed) for name in asked), metric.name


def test_every_alert_is_tested() -> None:
    """In tests.yml, where it must be silent on a calm day."""
    alerts = re.findall(r"alert: (\w+)", rules()[1])
    tested = re.findall(r"alertname: (\w+), exp_alerts: \[\]", (RULES / "tests.yml").read_text())

    assert sorted(alerts) == sorted(tested)
    assert f"value: {len(alerts)}" in (RULES / "tests.yml").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "tests.yml"],
    ],
    ids=" ".join,
)
def test_prometheus_own_tool_agrees(arguments: list[str]) -> None:
    """The files are well formed, and each alert fires when and only when it should."""
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=RULES, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_dashboard_asks_is_well_formed(tmp_path: Path) -> None:
    """Each query is one that Prometheus can read."""
    groups = {"record": "x:y:z", "expr": ""}
    listed = [{**groups, "expr": one} for one in dashboard()]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": listed}]}))

    done = subprocess.run(
        [program("promtool"), "check", "rules", "--lint=none", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
