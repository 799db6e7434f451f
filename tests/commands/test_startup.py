"""The command line before any command: what it imports, its help, its exit codes, completion.

How long it takes is `benchmarks/startup.py`'s; here stands what would make it slow.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from redmine_mcp_core import cli
from redmine_mcp_core.docs import commands as command_docs
from redmine_mcp_core.local import open_local
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.settings import load_settings
from tests.support.command_line import Run

ROOT = Path(__file__).parents[2]
COMMANDS = [name for commands in cli.GROUPS.values() for name in commands]
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ENVIRONMENT = {
    **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    "REDMINE_URL": "http://redmine.invalid",
    "REDMINE_API_KEY": "0" * 40,
}
THEN_TELL = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"


def imported(err: str, unwanted: Collection[str]) -> set[str]:
    """Which of these a process imported that told its modules at the end."""
    modules = json.loads(err.strip().splitlines()[-1])
    return {
        name
        for name in unwanted
        if any(module == name or module.startswith(f"{name}.") for module in modules)
    }


def test_help_imports_little(tmp_path: Path) -> None:
    """It needs no server, no settings and no drawing of tables."""
    code = f"import sys, atexit\natexit.register(lambda: exec({THEN_TELL!r}))\n"
    code += "sys.argv[1:] = ['--help']\nfrom redmine_mcp_core.cli import main\nmain()"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    unwanted = "fastmcp mcp pydantic httpx httpx2 rich pluggy structlog docstring_parser".split()
    assert imported(ended.stderr, unwanted) == set()
    assert ended.stdout == f"{cli.overview()}\n"


def test_stdio_imports_little_before_it_says_hello(tmp_path: Path) -> None:
    """The plugins, our HTTP server and the authorization server can wait, or are not needed.

    FastMCP itself imports uvicorn and starlette.
    """
    code = (
        "import sys, json\nfrom redmine_mcp_core.mcp import hello\n"
        "def tell(self):\n"
        "    print(json.dumps(sorted(sys.modules)), file=sys.stderr, flush=True)\n"
        "hello.RestLater.begin = tell\n"
        "sys.argv[1:] = ['stdio']\nfrom redmine_mcp_core.cli import main\nmain()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(f"{json.dumps(HELLO)}\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        told = next(line for line in process.stderr if line.startswith('["'))
        process.stdin.close()
        process.wait(timeout=10)

    unwanted = """
    redmine_mcp_core.auth redmine_mcp_core.plugins redmine_mcp_core.redmine
    redmine_mcp_core.http redmine_mcp_core.seams redmine_mcp_core.storage
    redmine_mcp_issues redmine_mcp_sandbox
    fastmcp.server.auth.oauth_proxy key_value authlib prometheus_client pluggy tenacity
    """.split()
    assert answer["result"]["serverInfo"]["name"] == "Redmine"
    assert imported(told, unwanted) == set()


@pytest.fixture
def hello(tmp_path: Path) -> dict[str, Any]:
    """How ``stdio`` answers the first request."""
    ended = subprocess.run(
        [sys.executable, "-m", "redmine_mcp_core.cli", "stdio"],
        input=f"{json.dumps(HELLO)}\n",
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
        cwd=tmp_path,
    )
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[0])["result"]
    return result


async def test_hello_promises_what_the_whole_server_does(hello: dict[str, Any]) -> None:
    """What ``stdio`` says before it knows a tool is what it would say afterwards."""
    settings = load_settings(
        redmine_url="http://redmine.invalid",
        redmine_api_key="0" * 40,
        mcp_sign_in="header",
        jwt_signing_key="k" * 32,
        token_store_url="memory:",
        _env_file=None,
    )
    async with (
        open_local(settings, discover_plugins(Metrics())) as mcp,
        Client(mcp, mode="legacy") as client,
    ):
        assert client.initialize_result
        whole = client.initialize_result.model_dump(by_alias=True, exclude_none=True)

    for part in ("capabilities", "instructions", "serverInfo"):
        assert hello[part] == whole[part]


def test_every_command_stands_in_the_overview() -> None:
    """With what it does, in 80 columns."""
    overview = cli.overview()

    assert all(f"  {name} " in overview for name in COMMANDS)
    assert max(map(len, overview.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
async def test_every_command_has_help(run: Run, name: str) -> None:
    """And its module is there."""
    code, out, _ = await run(name, "--help")

    assert code == 0
    assert out.strip().startswith(f"Usage: redmine-mcp {name}")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 0, ""),
        (["sevre"], 2, "There is no command sevre. Did you mean serve?"),
        (["xyzzy"], 2, "See: redmine-mcp --help"),
        (["store", "chek"], 2, "See: redmine-mcp store --help"),
        (["serve", "--nosuch"], 2, "See: redmine-mcp serve --help"),
        (["serve", "--workers", "many"], 2, "See: redmine-mcp serve --help"),
        (["serve"], 2, "REDMINE_URL is not set."),
        (["stdio"], 2, "REDMINE_URL is not set."),
        (["init", "--env", "/nowhere/.env", "--yes"], 2, "--redmine-url is missing"),
        (["doctor"], 1, ""),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "",
)
async def test_exit_codes(run: Run, arguments: list[str], code: int, said: str) -> None:
    """Each as documented, with a sentence and the next step, and never a traceback."""
    ended, out, err = await run(*arguments)

    assert ended == code, (out, err)
    assert said in err
    assert "Traceback" not in err


def test_ctrl_c_ends_a_question(tmp_path: Path) -> None:
    """With exit code 130 and at once."""
    in_its_terminal = (
        "import fcntl, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "sys.argv[1:] = ['init']\nfrom redmine_mcp_core.cli import main\nmain()"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", in_its_terminal],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        start_new_session=True,
        env={**ENVIRONMENT, "TERM": "dumb"},
    )
    os.close(theirs)
    try:
        shown = b""
        while b"Where is your Redmine" not in shown:
            shown += os.read(ours, 1000)
        code = None
        while code is None:  # a key that comes just before input() reads does not wake it
            os.write(ours, b"\x03")
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout=3)
        with suppress(OSError):  # so ends what a terminal shows
            while True:
                shown += os.read(ours, 1000)
    finally:
        process.kill()
        process.wait()
        os.close(ours)

    assert code == 130
    assert b"Traceback" not in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    """The script that is installed knows every command, and the options of those that are
    imported only when they are called."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZSH", "ZSH_CUSTOM", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    code, out, err = await run("--install-completion", "--shell", shell)

    written = out.split("Written to ")[1].split(". It works")[0]
    assert code == 0, err
    assert written.startswith(str(tmp_path))
    assert_completes(Path(written))


def assert_completes(script_file: Path) -> None:
    script = script_file.read_text(encoding="utf-8")
    assert [name for name in COMMANDS if name not in script] == []
    for option in ("sign-in", "client-secret-file", "read-only"):
        assert option in script


def test_the_page_of_commands_is_up_to_date() -> None:
    """``make docs`` writes it."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")

    assert command_docs.reference() in page
