"""``redmine-mcp`` as somebody types it, in this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from redmine_mcp_core import cli
from redmine_mcp_core.settings import Settings
from tests.support.logs import logging_as_it_was

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@contextmanager
def command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **env: str
) -> Iterator[Run]:
    """Runs a command in this folder with this environment: exit code, output, errors.

    Errors come in one line. ``answers`` are what the person at the terminal types, secrets
    included; without any, there is no terminal.
    """
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "400")
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    def here(*arguments: str, answers: str = "") -> tuple[int, str, str]:
        typed = StringIO(answers)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["redmine-mcp", *arguments])
            patched.setattr(sys, "stdin", typed)
            for module in ("init", "tools", "sessions"):
                name = f"redmine_mcp_core.commands.{module}.is_interactive"
                patched.setattr(name, lambda: bool(answers))
            secret = "redmine_mcp_core.commands.console.getpass"
            patched.setattr(secret, lambda _: typed.readline())
            capsys.readouterr()
            patched.setattr("cyclopts.core._log_framework_warning", lambda _: None)
            with pytest.raises(SystemExit) as end:
                cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, " ".join(err.split())

    async def run(*arguments: str, **options: Any) -> tuple[int, str, str]:
        return await asyncio.to_thread(here, *arguments, **options)

    # A command sets the process's logging.
    with logging_as_it_was():
        yield run
