"""A worker that ends by an error: its supervisor replaces it, and the log says where it was."""

from __future__ import annotations

import faulthandler
from multiprocessing import Pipe
from typing import NoReturn

import pytest

from redmine_mcp_core.serving import bind
from redmine_mcp_core.workers import work as module
from redmine_mcp_core.workers.work import CRASHED, work
from tests.support.logs import Stream
from tests.support.servers import Target, settings_for


def test_a_crash_is_a_log_line(
    sandbox: Target, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """multiprocessing would print what the error says, which may be anything."""

    async def fail(*_: object) -> NoReturn:
        raise KeyError("a subject that nobody else may read")

    stream.configure("json")
    monkeypatch.setattr(module, "_work", fail)
    monkeypatch.setattr(module, "log_crashes", lambda: None)
    monkeypatch.setattr(faulthandler, "register", lambda *_, **__: None)
    each = {"": settings_for(sandbox, 1, mcp_log_format="json")}
    mine, other = Pipe()
    with bind("127.0.0.1", 0) as listener, mine, other, pytest.raises(SystemExit) as ended:
        work(each, listener, other, 1.0)

    (line,) = stream.lines
    assert ended.value.code == CRASHED
    assert line["event"] == "crashed"
    assert line["exception"].endswith("in fail\nKeyError")
