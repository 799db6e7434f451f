"""``redmine-mcp sessions``: who is signed in, and ending that beside a running server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.command_line import Run
from tests.support.servers import Running, Target, running_server
from tests.support.sign_in import Tokens, refresh, sign_in
from tests.support.signed_in import ping


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/tokens.sqlite3"


@pytest.fixture
def run(configured: Run) -> Run:
    """Beside the server, with its settings."""
    return configured


@pytest.fixture
async def server(sandbox: Target, store: str) -> AsyncIterator[Running]:
    async with running_server(sandbox, token_store_url=store) as running:
        yield running


@pytest.fixture
async def signed_in(server: Running) -> dict[str, Tokens]:
    return {login: await sign_in(server.url, login) for login in ("alice", "bob", "carol")}


async def works(server: Running, tokens: Tokens) -> bool:
    return (await ping(server, tokens.access)).status_code == 200


async def listed(run: Run, *arguments: str) -> dict[str, dict[str, object]]:
    code, out, _ = await run("sessions", "list", "--json", *arguments)
    assert code == 0
    return {row["login"]: row for row in json.loads(out)["sessions"]}


async def test_the_list(run: Run, signed_in: dict[str, Tokens]) -> None:
    """By everybody, by one user or one client; and no token among it."""
    everybody = await listed(run)
    alice = await listed(run, "--user", "alice")
    by_id = await listed(run, "--user", str(everybody["bob"]["user_id"]))
    by_client = await listed(run, "--client", signed_in["carol"].client_id)
    code, out, _ = await run("sessions", "list")

    assert set(everybody) == {"alice", "bob", "carol"}
    assert (set(alice), set(by_id), set(by_client)) == ({"alice"}, {"bob"}, {"carol"})
    assert code == 0
    assert "Test client" in out
    assert signed_in["alice"].access not in out + json.dumps(everybody)


@pytest.mark.parametrize("by", ["id", "user", "client", "all"])
async def test_ending(
    run: Run, server: Running, signed_in: dict[str, Tokens], sandbox: Target, by: str
) -> None:
    """A running server refuses the next request, and the tokens are revoked in Redmine too."""
    alice = (await listed(run))["alice"]
    which = {
        "id": [str(alice["id"])[:12]],
        "user": ["--user", "alice"],
        "client": ["--client", signed_in["alice"].client_id],
        "all": ["--all", "--yes"],
    }[by]
    assert await works(server, signed_in["alice"])
    assert sandbox.sandbox
    before = sandbox.sandbox.hits("/oauth/revoke")
    code, out, err = await run("sessions", "end", *which)

    ended = 3 if by == "all" else 1
    assert (code, out) == (0, f"{ended} ended.\n"), err
    assert not await works(server, signed_in["alice"])
    assert await works(server, signed_in["bob"]) == (by != "all")
    assert (await refresh(server.url, signed_in["alice"])).json()["error"] == "invalid_grant"
    assert sandbox.sandbox.hits("/oauth/revoke") - before == ended


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["end"], 2, "Name what to end"),
        (["end", "abc", "--all"], 2, "Name what to end"),
        (["end", "abcdef"], 1, "There is no such sign-in"),
        (["end", "--all"], 1, "end 3 sign-ins: say so with --yes"),
        (["end", ""], 2, "Name what to end"),
    ],
    ids=["nothing", "two things", "nobody", "too many", "empty"],
)
@pytest.mark.usefixtures("signed_in")
async def test_what_ends_nothing(run: Run, arguments: list[str], code: int, said: str) -> None:
    """Too little, too much or too many is a sentence, and everybody stays signed in."""
    ended, _, err = await run("sessions", *arguments)

    assert ended == code
    assert said in err
    assert len(await listed(run)) == 3


@pytest.mark.usefixtures("signed_in")
async def test_a_redmine_that_is_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sign-in ends here all the same, and it is said that Redmine does not know."""
    monkeypatch.setattr("redmine_mcp_core.commands.sessions.TOLD_SECONDS", 0.05)

    async def never(*_: object, **__: object) -> httpx2.Response:
        raise httpx2.ConnectError("away")

    monkeypatch.setattr("httpx2.AsyncClient.post", never)
    code, out, err = await run("sessions", "end", "--user", "alice")

    assert (code, out) == (0, "1 ended.\n")
    assert "Redmine could not be told" in err


async def test_where_there_are_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in memory and a server without sign-ins say so."""
    monkeypatch.setenv("TOKEN_STORE_URL", "memory:")
    memory = await run("sessions", "list")
    monkeypatch.setenv("TOKEN_STORE_URL", "sqlite:////nowhere/at/all.sqlite3")
    monkeypatch.setenv("MCP_SIGN_IN", "header")
    header = await run("sessions", "list")

    assert memory[0] == header[0] == 1
    assert "no other process sees" in memory[2]
    assert "nobody signs in" in header[2]
