"""Every log line of ours is one of a list: found in the source, so that none is forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from redmine_mcp_core.observability.log_events import LOG_EVENTS

ROOT = Path(__file__).parents[2]
BESIDE = {"connect", "testing"}
"""``redmine-mcp connect`` is a program on somebody's own machine, and speaks to that person."""
LOGGERS = {"log", "_log", "logger"}
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
OF_LOGGING = {"exc_info", "extra"}


def sources() -> Iterator[Path]:
    core = ROOT / "redmine_mcp_core"
    yield from (
        path for path in sorted(core.rglob("*.py")) if path.relative_to(core).parts[0] not in BESIDE
    )
    yield from sorted(ROOT.glob("plugins/*/redmine_mcp_*/**/*.py"))


def log_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if (
                name in LOGGERS and method in METHODS
            ):
                yield node


CALLS = {
    f"{path.relative_to(ROOT)}:{call.lineno}": call
    for path in sources()
    for call in log_calls(path)
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_log_line_is_in_the_list(call: ast.Call) -> None:
    """Its event by name and its fields, so that operators can look up and filter for all of it."""
    assert len(call.args) == 1, "an event and fields, and no text to be filled in"
    (event,) = call.args
    assert isinstance(event, ast.Constant), "the event's name itself"
    assert isinstance(event.value, str)
    assert event.value in LOG_EVENTS
    fields = {str(keyword.arg) for keyword in call.keywords} - OF_LOGGING
    for keyword in call.keywords:
        if keyword.arg == "extra":
            assert isinstance(keyword.value, ast.Dict)
            fields |= {
                str(key.value) for key in keyword.value.keys if isinstance(key, ast.Constant)
            }
    assert fields <= set(LOG_EVENTS[event.value].fields)


def test_the_list_names_no_line_that_there_is_not() -> None:
    """One that is written no more leaves the list, and the docs."""
    written = {
        arg.value for call in CALLS.values() for arg in call.args if isinstance(arg, ast.Constant)
    }
    by_other_means = {"audit", "http_request"}

    assert set(LOG_EVENTS) - by_other_means <= written
