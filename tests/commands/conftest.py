"""The command line, without a set-up and with one that works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Run, command_line
from tests.support.servers import Target, free_port


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Without any setting."""
    with command_line(tmp_path, monkeypatch, capsys) as run:
        yield run


@pytest.fixture
def configured(
    sandbox: Target,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    """With the settings of a server before the sandbox."""
    env = {
        "REDMINE_URL": sandbox.url,
        "REDMINE_CLIENT_ID": sandbox.client_id,
        "REDMINE_CLIENT_SECRET": sandbox.client_secret,
        "TOKEN_STORE_URL": f"sqlite:///{tmp_path}/tokens.sqlite3",
        "MCP_PORT": str(free_port()),
    }
    with command_line(tmp_path, monkeypatch, capsys, **env) as run:
        yield run
