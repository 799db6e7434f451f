"""``redmine-mcp init``: from the address of a Redmine to settings that work."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from redmine_mcp_core.checks import env_file
from redmine_mcp_core.settings import load_settings
from tests.support.command_line import Run
from tests.support.servers import Target, free_port, serving

OLD = Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="Redmine API"'})


@pytest.fixture
def secret_file(sandbox: Target, tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(f"{sandbox.client_secret}\n")
    return str(path)


@pytest.fixture
def flags(sandbox: Target, secret_file: str) -> list[str]:
    """All that a server takes, without a question."""
    return [
        "--redmine-url",
        sandbox.url,
        "--client-id",
        sandbox.client_id,
        "--client-secret-file",
        secret_file,
    ]


async def test_by_flags_alone(run: Run, flags: list[str], sandbox: Target, tmp_path: Path) -> None:
    """What is to be pasted where, settings that are valid and for one's own eyes, and what to
    tell each client."""
    code, out, err = await run("init", *flags)

    env = tmp_path / ".env"
    settings = load_settings()
    assert (code, err) == (0, ""), out
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert settings.redmine_url == sandbox.url
    assert settings.jwt_signing_key
    assert len(settings.jwt_signing_key.get_secret_value()) == 64
    for part in (
        "http://127.0.0.1:8000/auth/callback",
        "View Issues, Add issues",
        "claude mcp add",
    ):
        assert part in out
    assert sandbox.client_secret not in out


async def test_by_answers_alone(run: Run, sandbox: Target) -> None:
    """Each question once; a wrong address, number, public address or secret is asked for again,
    also one that Redmine could not have made."""
    port = free_port()
    answers = [
        f"{sandbox.url}/projects/alpha",  # where is your Redmine
        "",  # take what was found
        "4",  # no such number: again
        "1",  # a server, with OAuth
        "http://mcp.example.com",  # no https: again
        f"http://127.0.0.1:{port}",
        sandbox.client_id,
        "too short",
        sandbox.client_id,
        "a-wrong-secret-of-many-letters",
        sandbox.client_id,
        sandbox.client_secret,
        "n",  # no trial
    ]
    code, out, err = await run("init", answers="\n".join(answers) + "\n")

    settings = load_settings()
    assert code == 0, out
    assert f"Set REDMINE_URL to {sandbox.url}." in out
    assert "must be an https address" in err
    assert "from 1 to 3" in err
    assert "REDMINE_CLIENT_SECRET is shorter" in err
    assert "Redmine knows no application" in out
    assert settings.callback_url == f"http://127.0.0.1:{port}/auth/callback"


async def test_one_person(run: Run, sandbox: Target, tmp_path: Path) -> None:
    """Theirs is an API key, whose owner is told."""
    assert sandbox.sandbox
    key = sandbox.sandbox.api_key("alice")
    wrong = "0" * 40
    code, out, _ = await run("init", answers=f"{sandbox.url}\n3\n{wrong}\n{key}\n")

    assert code == 0, out
    assert "Redmine knows no such API key" in out
    assert "The API key is alice's" in out
    assert env_file.read(tmp_path / ".env") == {"REDMINE_URL": sandbox.url, "REDMINE_API_KEY": key}
    assert key not in out


async def test_a_redmine_without_oauth(run: Run, tmp_path: Path) -> None:
    """Before 6.1, people sign in with their API key; OAuth is refused with the reason."""

    async def page(request: Request) -> Response:
        return OLD if request.url.path == "/users/current.json" else Response("", 404)

    port = free_port()
    async with serving(Starlette(routes=[Route("/{path:path}", page)]), port):
        url = f"http://127.0.0.1:{port}"
        refused, _, err = await run("init", "--redmine-url", url, "--sign-in", "oauth")
        code, out, _ = await run("init", "--redmine-url", url)

    assert refused == 1
    assert "came with 6.1" in err
    assert code == 0, out
    assert env_file.read(tmp_path / ".env")["MCP_SIGN_IN"] == "key-login"


@pytest.mark.parametrize(
    ("without", "named"),
    [("--redmine-url", "--redmine-url"), ("--client-id", "--client-id"),
     ("--client-secret-file", "--client-secret-file")],
)  # fmt: skip
async def test_what_is_missing(run: Run, flags: list[str], without: str, named: str) -> None:
    """Where nobody can be asked, it names the flag that is missing, with exit code 2."""
    place = flags.index(without)
    code, _, err = await run("init", *flags[:place], *flags[place + 2 :])

    assert code == 2
    assert f"{named} is missing" in err


async def test_a_file_that_is_there(run: Run, flags: list[str], tmp_path: Path) -> None:
    """What it sets is changed only with consent; its other lines and its key stay."""
    env = tmp_path / ".env"
    before = "# mine\nMCP_LOG_LEVEL=debug\nREDMINE_URL=https://old.example.com\n"
    env.write_text(f"{before}JWT_SIGNING_KEY={'k' * 32}\n")
    refused, _, err = await run("init", *flags)
    kept = env.read_text()
    code, _, _ = await run("init", *flags, "--yes")

    assert refused == 2
    assert "REDMINE_URL already: say --yes" in err
    assert kept.startswith(before)
    assert code == 0
    written = env_file.read(env)
    assert env.read_text().startswith("# mine\nMCP_LOG_LEVEL=debug\nREDMINE_URL=http://127")
    assert written["JWT_SIGNING_KEY"] == "k" * 32
    assert stat.S_IMODE(env.stat().st_mode) == 0o600


async def test_a_second_time(run: Run, flags: list[str]) -> None:
    """The same again changes nothing and asks for no consent."""
    first = await run("init", *flags)
    second = await run("init", "--redmine-url", flags[1])

    assert (first[0], second[0]) == (0, 0), second


@pytest.mark.parametrize(
    "value", ["plain", "with space", "it's", 'say "x"', "a#b", "a\\b", "$HOME"]
)
def test_a_value_reads_back(tmp_path: Path, value: str) -> None:
    """Whatever a secret holds, the settings read what was written."""
    path = tmp_path / ".env"
    env_file.write(path, env_file.merged("A=1\nexport B=2\nA=3\n", {"B": value, "C": value}))

    assert env_file.read(path) == {"A": "3", "B": value, "C": value}
