"""The command line, and the parts of the documentation that are made from the code."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from redmine_mcp_core import cli
from redmine_mcp_core.commands import plugins as plugins_command
from redmine_mcp_core.docs import tables as docs
from redmine_mcp_core.plugins import Plugins
from redmine_mcp_core.settings import Settings, load_settings
from redmine_mcp_core.testing.client import Announced

ROOT = Path(__file__).parents[2]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command sets the process's logging; the tests' own is put back."""
    names = [None, *logging.root.manager.loggerDict]
    loggers = [logging.getLogger(name) for name in names]
    kept = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in kept:
        logger.level, logger.handlers, logger.propagate = level, handlers, propagate
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run ``redmine-mcp`` with these arguments: exit code, standard output, standard error."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)

    app = cli.app

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(cli, "app", partial(app, arguments))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return run


def with_a_broken_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plugin is installed, and it is written for another API version."""

    class FromTheFuture:
        api_version = 99

    entries = cast("list[EntryPoint]", [Announced("broken", FromTheFuture)])
    monkeypatch.setattr(
        plugins_command, "discover_plugins", lambda _: Plugins.discover(installed=entries)
    )


def test_plugins_lists_what_is_installed(run: Run) -> None:
    """Each with what it contributes; all well is exit code 0."""
    code, out, _ = run("plugins")

    assert code == 0
    for word in ("issues", "storage_sqlite", "get_issue_details", "redmine://users/me", "sqlite"):
        assert word in out


def test_plugins_shows_what_to_tick(run: Run) -> None:
    """The boxes of Redmine's form by their labels, and what ``REDMINE_SCOPES`` calls them."""
    _, out, _ = run("plugins")

    assert re.search(r"Issue tracking +View Issues +view_issues", out)
    assert re.search(r"Time tracking +View spent time +view_time_entries", out)
    assert "admin" not in out.partition("to tick")[2]


def test_whoever_reads_may_stop_reading() -> None:
    """``redmine-mcp serve | head`` serves on."""
    program = (
        "from redmine_mcp_core.commands.console import out\n"
        "out.print('Redmine MCP')\n"
        "__import__('sys').exit(42)"
    )
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([sys.executable, "-c", program], stdout=writer, check=False)
    os.close(writer)

    assert ended.returncode == 42


def test_plugins_for_programs(run: Run) -> None:
    """``--json`` is JSON and nothing else."""
    code, out, _ = run("plugins", "--json")

    plugins: dict[str, Any] = {plugin["name"]: plugin for plugin in json.loads(out)["plugins"]}
    assert code == 0
    assert {"issues", "projects", "prompts", "sandbox"} <= set(plugins)
    assert "get_issue_details" in plugins["issues"]["tools"]
    assert plugins["issues"]["state"] == "loaded"
    assert plugins["issues"]["distribution"] == "redmine-mcp-issues"
    assert plugins["storage_redis"]["token_stores"]


@pytest.mark.parametrize("arguments", [["plugins"], ["plugins", "--json"]], ids=" ".join)
def test_a_broken_plugin_is_shown_with_its_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """The command works when a plugin does not, and its exit code tells."""
    with_a_broken_plugin(monkeypatch)

    code, out, _ = run(*arguments)

    assert code == 1
    assert "broken" in out
    assert "API version 99" in " ".join(out.split())


def test_without_plugins_the_command_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host alone can do nothing."""
    monkeypatch.setattr(
        plugins_command, "discover_plugins", lambda _: Plugins.discover(installed=[])
    )

    code, out, _ = run("plugins")

    assert code == 0
    assert "pip install redmine-mcp-issues" in out


def test_settings_lists_them_all(run: Run) -> None:
    """Every setting by name."""
    code, out, _ = run("settings")

    words = set(re.findall(r"\w+", out))
    assert code == 0
    assert {name.upper() for name in Settings.model_fields} <= words


def test_settings_as_markdown(run: Run) -> None:
    """``--markdown`` is what stands in docs/settings.md, to the letter."""
    code, out, _ = run("settings", "--markdown")

    assert code == 0
    assert out == f"{docs.settings_tables()}\n"


def test_wrong_settings_are_told_without_a_traceback(run: Run) -> None:
    """All at once, on standard error, with exit code 2, before anything listens."""
    code, out, err = run("serve")

    assert code == 2
    assert out == ""
    assert err.count("✗") >= 2
    assert "REDMINE_URL is not set." in err
    assert "REDMINE_CLIENT_ID is not set." in err
    assert "Traceback" not in err


def test_what_stands_in_brackets_is_shown_as_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value is not taken for markup of the terminal."""
    monkeypatch.setenv("REDMINE_URL", "https://redmine.example.com")
    monkeypatch.setenv("REDMINE_CLIENT_ID", "client")
    monkeypatch.setenv("REDMINE_CLIENT_SECRET_FILE", "/[bold]nowhere[/bold]")

    code, _, err = run("serve")

    assert code == 2
    assert "/[bold]nowhere[/bold]" in err


def test_the_version_is_that_of_the_distribution(run: Run) -> None:
    """``--version`` names one."""
    code, out, _ = run("--version")

    assert code == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", out)


def test_an_unknown_command_is_an_error(run: Run) -> None:
    """With an exit code that a script notices."""
    code, _, _ = run("sevre")

    assert code != 0


def test_the_example_of_an_env_file_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Filled in as it says, and everything optional taken out of its comments, it is valid."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    filled = {
        "REDMINE_URL": "https://redmine.example.com",
        "REDMINE_CLIENT_ID": "client",
        "REDMINE_CLIENT_SECRET": "a-secret-of-more-than-16-characters",
    }
    lines = [
        f"{name}={filled[name]}" if (name := line.partition("=")[0]) in filled else line
        for line in docs.env_example().replace("\n# MCP", "\nMCP").splitlines()
    ]
    (tmp_path / ".env").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    settings = load_settings()

    assert settings.redmine_url == "https://redmine.example.com"
    assert settings.mcp_port == 8000


def test_every_setting_is_described() -> None:
    """With a sentence; and a secret says that it may stand in a file."""
    for row in docs.setting_rows():
        assert row.description[0] in "`" or row.description[0].isupper(), row.name
        assert row.description.endswith("."), row.name
    secrets = {row.name for row in docs.setting_rows() if f"`{row.name}_FILE`" in row.description}
    assert secrets == {
        "REDMINE_API_KEY",
        "REDMINE_CLIENT_SECRET",
        "JWT_SIGNING_KEY",
        "MCP_ENCRYPTION_KEYS",
        "TOKEN_STORE_URL",  # with the password of a Redis in it
    }
