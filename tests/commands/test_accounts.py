"""``redmine-mcp accounts`` and the signing keys, as an operator types them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from io import StringIO
from pathlib import Path

import httpx
import pytest

from redmine_mcp_core import cli
from redmine_mcp_core.auth.accounts import AccountError
from redmine_mcp_core.commands import console
from redmine_mcp_core.commands.accounts import seconds_in
from tests.support.servers import Target, free_port, running_server
from tests.support.signed_in import ping

Run = Callable[..., Awaitable[tuple[int, str, str]]]
SCOPES = "view_issues search_project"


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/tokens.sqlite3"


@pytest.fixture
def run(
    sandbox: Target,
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command with the settings of a server before the sandbox."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "configure_logging", lambda **_: None)
    monkeypatch.setattr("sys.stdin", StringIO())
    monkeypatch.setenv("COLUMNS", "400")
    for name, value in {
        "REDMINE_URL": sandbox.url,
        "REDMINE_CLIENT_ID": sandbox.client_id,
        "REDMINE_CLIENT_SECRET": sandbox.client_secret,
        "REDMINE_TIMEOUT": "5",
        "TOKEN_STORE_URL": store,
    }.items():
        monkeypatch.setenv(name, value)

    def here(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            cli.app(arguments)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, re.sub(r"\s+", " ", err)

    async def run(*arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(here, *arguments)

    return run


@pytest.fixture
def key(sandbox: Target) -> str:
    assert sandbox.sandbox is not None
    return sandbox.sandbox.api_key("alice")


@pytest.fixture
def key_file(key: str, tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text(f"{key}\n")
    return str(path)


@pytest.fixture
async def nightly(run: Run, key_file: str) -> None:
    code, _, _ = await run("accounts", "add", "nightly", "--scopes", SCOPES, "--key-file", key_file)
    assert code == 0


async def test_adding_an_account_shows_whose_key_it_is(run: Run, key: str, key_file: str) -> None:
    """The key is checked with Redmine at once; it is not shown again."""
    code, out, err = await run(
        "accounts", "add", "nightly", "--scopes", SCOPES, "--key-file", key_file
    )

    assert (code, out) == (0, "")
    assert "acts in Redmine as alice (user 5)" in err
    assert key not in err


async def test_the_key_may_come_from_standard_input(
    run: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe from a secret store: nothing is asked."""
    assert sandbox.sandbox is not None
    monkeypatch.setattr("sys.stdin", StringIO(f"{sandbox.sandbox.api_key('carol')}\n"))
    code, _, err = await run("accounts", "add", "nightly", "--scopes", SCOPES)

    assert code == 0
    assert "as carol" in err


async def test_an_administrators_key_is_warned_of(
    run: Run, sandbox: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redmine would let that key do everything."""
    assert sandbox.sandbox is not None
    monkeypatch.setattr("sys.stdin", StringIO(sandbox.sandbox.api_key("admin")))
    _, _, err = await run("accounts", "add", "nightly", "--scopes", SCOPES)

    assert "administrator" in err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--scopes", "view_issues fly"], "No tool needs fly."),
        (["--scopes", " "], "--scopes is empty"),
        (["--scopes", SCOPES, "--expires-in", "soon"], "soon is no duration"),
        (["--scopes", SCOPES, "--key-file", "/nowhere"], "/nowhere cannot be read"),
        (["--scopes", SCOPES], "The API key is empty."),
    ],
)
async def test_what_cannot_work_is_said_in_a_sentence(
    run: Run, arguments: list[str], why: str
) -> None:
    """Exit 1, and no account."""
    code, _, err = await run("accounts", "add", "nightly", *arguments)

    assert code == 1
    assert why in err
    assert "There are no accounts" in (await run("accounts", "list"))[2]


async def test_a_key_that_redmine_does_not_know_is_refused(run: Run, tmp_path: Path) -> None:
    """Before it is kept."""
    (tmp_path / "bad").write_text("0" * 40)
    code, _, err = await run(
        "accounts", "add", "nightly", "--scopes", SCOPES, "--key-file", str(tmp_path / "bad")
    )

    assert (code, "knows no such API key" in err) == (1, True)
    assert "There are no accounts" in (await run("accounts", "list"))[2]


@pytest.mark.usefixtures("nightly")
@pytest.mark.parametrize("name", ["Nightly", "a b", "-x", "", "x" * 41, "nightly"])
async def test_a_name_is_plain_and_taken_once(run: Run, key_file: str, name: str) -> None:
    """Small letters, digits and hyphens; a second account of a name is refused."""
    code, _, _ = await run(
        "accounts", "add", f"--scopes={SCOPES}", f"--key-file={key_file}", "--", name
    )

    assert code == 1


@pytest.mark.usefixtures("nightly")
async def test_a_token_stands_alone_on_standard_output(run: Run) -> None:
    """So that it can be piped, and only this once."""
    code, out, err = await run("accounts", "token", "nightly", "--expires-in", "7d")

    assert code == 0
    assert re.fullmatch(r"rmcp_[\w-]{43}\n", out)
    assert out.strip() not in err
    assert out.strip() not in (await run("accounts", "list"))[1]


@pytest.mark.usefixtures("nightly")
async def test_the_list_says_who_may_what_and_no_secret(run: Run, key: str, key_file: str) -> None:
    """Name, user, scopes, limits, tokens with their ends, and the last use."""
    await run(
        *"accounts add gate --scopes view_issues --read-only --introspect --expires-in 52w".split(),
        "--key-file",
        key_file,
    )
    token = (await run("accounts", "token", "nightly"))[1].strip()
    secret = (await run("accounts", "secret", "gate"))[1].strip()
    code, out, _ = await run("accounts", "list")
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}

    assert code == 0
    assert "alice (5)" in rows["nightly"]
    assert SCOPES in rows["nightly"]
    assert "[read-only] [introspects]" in rows["gate"]
    assert re.search(r"20\d\d-\d\d-\d\d .*never", rows["gate"])
    assert re.search(r"token [0-9a-f]{8}\b.*20\d\d-", rows["token"])
    for value in (token, secret, key):
        assert value not in out


@pytest.mark.usefixtures("nightly")
async def test_the_list_in_a_narrow_terminal(
    run: Run, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be copied is never cut: names, client IDs, scopes."""
    await run("accounts", "add", "weekly-report", "--scopes", SCOPES, "--key-file", key_file)
    await run("accounts", "token", "weekly-report")
    _, wide, _ = await run("accounts", "list")
    monkeypatch.setenv("COLUMNS", "80")
    _, narrow, _ = await run("accounts", "list")

    copied = re.findall(r"account-[0-9a-f]{16}|token [0-9a-f]{8}", wide)
    assert len(copied) == 3
    assert "…" not in narrow
    assert max(map(len, narrow.splitlines())) <= 80
    assert all(each in narrow for each in (*copied, "weekly-report", *SCOPES.split()))


@pytest.mark.usefixtures("nightly")
async def test_what_an_operator_makes_a_running_server_takes(
    run: Run, sandbox: Target, store: str
) -> None:
    """Token and secret work at once, and their revocation holds at the next request."""
    async with running_server(sandbox, port=free_port(), token_store_url=store) as server:
        token = (await run("accounts", "token", "nightly"))[1].strip()
        _, secret, err = await run("accounts", "secret", "nightly")
        client_id = re.search(r"account-[0-9a-f]{16}", err)
        assert client_id is not None
        form = {"grant_type": "client_credentials"}
        async with httpx.AsyncClient(auth=(client_id[0], secret.strip())) as http:
            granted = await http.post(f"{server.url}/token", data=form)
        assert (await ping(server, token)).status_code == 200
        assert (await ping(server, granted.json()["access_token"])).status_code == 200
        listed = re.search(r"token ([0-9a-f]{8})", (await run("accounts", "list"))[1])
        assert listed is not None
        assert (await run("accounts", "revoke", listed[1]))[0] == 0
        assert (await ping(server, token)).status_code == 401
        assert (await ping(server, granted.json()["access_token"])).status_code == 200
        assert (await run("accounts", "revoke", "nightly"))[0] == 0
        assert (await ping(server, granted.json()["access_token"])).status_code == 401


@pytest.mark.parametrize("command", ["token", "secret", "revoke"])
async def test_an_account_that_is_not_there_is_named(run: Run, command: str) -> None:
    """Exit 1."""
    code, out, err = await run("accounts", command, "nobody")

    assert (code, out) == (1, "")
    assert "nobody" in err


async def test_a_store_in_memory_is_not_for_commands(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was added would be gone with the command."""
    monkeypatch.setenv("TOKEN_STORE_URL", "memory:")
    code, _, err = await run("accounts", "list")

    assert code == 1
    assert "no other process sees" in err


@pytest.mark.parametrize(
    ("duration", "seconds"), [("30m", 1800), ("12h", 43_200), ("90d", 7_776_000), ("1w", 604_800)]
)
def test_a_duration_is_read(duration: str, seconds: int) -> None:
    """In minutes, hours, days and weeks."""
    assert seconds_in(duration) == seconds


@pytest.mark.parametrize("duration", ["", "0d", "-1d", "1", "1y", "1.5h", "999999d", "1d "])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    """Rather than read as something else."""
    with pytest.raises(AccountError):
        seconds_in(duration)


# -- Signing keys ----------------------------------------------------------------------------------


async def test_the_secret_of_hs256_cannot_rotate(run: Run) -> None:
    """The sentence says what to do instead."""
    code, _, err = await run("keys", "rotate-signing")

    assert code == 1
    assert "Set MCP_SIGNING_ALGORITHM to RS256 or EdDSA" in err
    assert "JWT_SIGNING_KEY (HS256)" in (await run("keys", "list"))[1]


async def test_rotating_lists_the_new_key_and_the_end_of_the_old(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first key signs at once; the next after two minutes, and the first one then only
    verifies. Nothing private is shown."""
    monkeypatch.setenv("MCP_SIGNING_ALGORITHM", "EdDSA")
    kids = []
    for _ in range(2):
        code, out, _ = await run("keys", "rotate-signing")
        found = re.search(r"The key ([\w-]{43}) signs from", out)
        assert code == 0
        assert found is not None
        kids.append(found[1])
    _, out, _ = await run("keys", "list")
    rows = {line.split()[0]: line for line in out.splitlines() if "EdDSA" in line}

    assert list(rows) == kids[::-1]
    assert rows[kids[0]].count("UTC") == 3
    assert rows[kids[1]].count("UTC") == 1
