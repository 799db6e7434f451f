"""The commands on the store, as an operator types them, over real SQLite files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from redmine_mcp_core import cli
from redmine_mcp_core.commands import console, opened
from redmine_mcp_core.keys import encrypted
from redmine_mcp_core.mcp.building import discover_plugins
from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.server import open_host
from redmine_mcp_core.settings import load_settings
from redmine_mcp_core.storage import (
    MemoryStore,
    Record,
    RecordStore,
    Tally,
    open_store,
    rotate_keys,
)
from tests.support.logs import until_said

Run = Callable[..., tuple[int, str]]
BACKENDS = discover_plugins(Metrics()).token_stores
OLD, NEW = "an-old-secret-of-ours", "a-new-secret-of-ours"
ENTRIES = {f"key-{number}": {"token": f"t-{number}"} for number in range(500)}


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a token store with some sign-ins, which the settings name."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite://{tmp_path}/tokens.sqlite3"
    for name, value in {
        "REDMINE_URL": "https://redmine.example.com",
        "REDMINE_CLIENT_ID": "client",
        "REDMINE_CLIENT_SECRET": "a-client-secret-of-redmine",
        "TOKEN_STORE_URL": url,
    }.items():
        monkeypatch.setenv(name, value)
    asyncio.run(fill(url))
    return url


@pytest.fixture
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the process's logging to the tests."""
    monkeypatch.setattr(console, "configure_logging", lambda **_: None)


@pytest.fixture
def run(_quiet: None, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            cli.app(arguments)
        out, err = capsys.readouterr()
        return int(end.value.code or 0), re.sub(r"\s+", " ", out + err)

    return run


async def fill(url: str) -> None:
    async with open_store(url, BACKENDS) as backend:
        store = encrypted(load_settings(), backend)
        await store.put_many(list(ENTRIES), list(ENTRIES.values()), collection="c", ttl=3600)
        await store.put("stays", {"n": 1})


async def entries(url: str) -> dict[str, object]:
    async with open_store(url, BACKENDS) as backend:
        store = encrypted(load_settings(), backend)
        values = await store.get_many(list(ENTRIES), collection="c")
        return dict(zip(ENTRIES, values, strict=True))


def test_check_tells_that_all_is_well(run: Run, url: str) -> None:
    """A store that opens, answers and can be decrypted is said to be so, and left as it was."""
    code, said = run("store", "check")

    assert code == 0
    assert "all 501 records open" in said
    assert asyncio.run(entries(url)) == ENTRIES


def test_check_counts_what_no_key_opens(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of the secret the records are there, but nobody can read them: exit 1."""
    assert url
    monkeypatch.setenv("JWT_SIGNING_KEY", "another-secret-than-before")
    code, said = run("store", "check")

    assert code == 1
    assert "501 of 501 records open with none of the keys" in said


def test_check_says_why_a_store_does_not_open(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, no traceback: exit 1."""
    assert url
    (tmp_path / "letter.txt").write_text("Dear Alice, " * 1000)
    monkeypatch.setenv("TOKEN_STORE_URL", f"sqlite://{tmp_path}/letter.txt")
    code, said = run("store", "check")

    assert code == 1
    assert "is not a SQLite database" in said


def test_copy_moves_every_sign_in(run: Run, url: str, tmp_path: Path) -> None:
    """The copy opens with the same keys, and has as long to live; a second run does nothing."""
    target = f"sqlite://{tmp_path}/copy.sqlite3"
    first = run("store", "copy", url, target)
    second = run("store", "copy", url, target)

    assert first == (0, f"✓ 501 records copied to {target}, 0 were there already. ")
    assert second == (0, f"✓ 0 records copied to {target}, 501 were there already. ")
    assert asyncio.run(entries(target)) == ENTRIES


def test_copy_shows_how_far_it_is(
    run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal a bar counts the records, and knows how many there are to come."""
    terminal = Console(stderr=True, force_terminal=True, width=100)
    monkeypatch.setattr(opened, "err", terminal)
    code, said = run("store", "copy", url, f"sqlite://{tmp_path}/copy.sqlite3")

    assert code == 0
    assert "501/501" in said


def test_copy_goes_on_where_it_was_stopped(run: Run, url: str, tmp_path: Path) -> None:
    """What an interrupted run has written is not written again; what differs is brought up."""
    target = f"sqlite://{tmp_path}/copy.sqlite3"

    async def copy_some() -> None:
        async with open_store(url, BACKENDS) as one, open_store(target, BACKENDS) as two:
            records, _ = await one.scan()
            await two.load(records[:100])
            await two.put(records[0].key, {"older": True}, collection=records[0].collection)

    asyncio.run(copy_some())

    assert run("store", "copy", url, target) == (
        0,
        f"✓ 402 records copied to {target}, 99 were there already. ",
    )
    assert asyncio.run(entries(target)) == ENTRIES


def test_copy_onto_itself_is_refused(run: Run, url: str) -> None:
    """That was a mistake: exit 1."""
    assert run("store", "copy", url, url)[0] == 1


def test_copy_from_a_mistyped_address(run: Run, url: str, tmp_path: Path) -> None:
    """A store that holds nothing is hardly the one that was meant: exit 1, and it is named."""
    code, said = run("store", "copy", f"sqlite://{tmp_path}/tokns.sqlite3", url)

    assert code == 1
    assert "tokns.sqlite3 holds nothing" in said


def test_purge_deletes_what_has_expired(run: Run, url: str) -> None:
    """The answer is how many went."""
    assert url
    assert run("store", "purge") == (0, "0 expired records deleted. ")


def test_rotate_brings_all_under_the_first_key(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the derived key to a listed one, from that to a newer; the old one can then go."""
    monkeypatch.setenv("MCP_ENCRYPTION_KEYS", OLD)
    assert run("keys", "rotate")[1].startswith("501 of 501 records encrypted anew")
    monkeypatch.setenv("MCP_ENCRYPTION_KEYS", f"{NEW} {OLD}")
    assert run("keys", "rotate")[1].startswith("501 of 501 records encrypted anew")
    assert run("keys", "rotate")[1].startswith("0 of 501 records encrypted anew")
    monkeypatch.setenv("MCP_ENCRYPTION_KEYS", NEW)

    assert run("store", "check")[0] == 0
    assert asyncio.run(entries(url)) == ENTRIES
    monkeypatch.setenv("MCP_ENCRYPTION_KEYS", OLD)
    assert run("keys", "rotate")[0] == 1


async def test_a_server_with_a_new_first_key_rotates_by_itself(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is signed out, and afterwards `keys rotate` finds nothing to do."""
    assert url
    monkeypatch.setenv("MCP_ENCRYPTION_KEYS", NEW)
    caplog.set_level("INFO")
    settings, metrics = load_settings(), Metrics()
    async with open_host(settings, discover_plugins(metrics), metrics) as host:
        line = await until_said(caplog, "keys_rotated")
        assert (line["records"], line["changed"]) == (501, 501)
        assert await host.store.get("key-7", collection="c") == ENTRIES["key-7"]
    async with open_store(url, BACKENDS) as backend:
        tallies = [tally async for tally in rotate_keys(backend, encrypted(settings, backend))]

    assert (tallies[-1].seen, tallies[-1].changed) == (501, 0)


async def test_rotating_while_servers_write_loses_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refreshed, taken or signed in during a rotation is afterwards as they left it."""
    monkeypatch.setenv("MCP_ENCRYPTION_KEYS", NEW)
    async with open_store(url, BACKENDS) as mine, open_store(url, BACKENDS) as servers:
        settings = load_settings()
        store = encrypted(settings, servers)
        expected: dict[str, object] = dict(ENTRIES)

        async def serve(keys: list[str]) -> None:
            for number, key in enumerate(keys):
                if number % 3 == 0:
                    await store.put(key, {"new": number}, collection="c", ttl=60)
                    expected[key] = {"new": number}
                elif number % 3 == 1:
                    expected[key] = None
                    assert await store.pop(key, collection="c") == ENTRIES[key]

        async def rotate() -> list[Tally]:
            return [tally async for tally in rotate_keys(Slow(mine), encrypted(settings, mine))]

        keys = list(ENTRIES)
        tallies, *_ = await asyncio.gather(rotate(), serve(keys[:250]), serve(keys[250:]))
        values = await store.get_many(keys, collection="c")

    assert expected == dict(zip(keys, values, strict=True))
    assert tallies[-1].unreadable == 0


class Slow(MemoryStore):
    """A backend on which others always come in between reading and replacing."""

    def __init__(self, backend: RecordStore) -> None:
        super().__init__()
        self._backend = backend

    async def scan(self, cursor: str = "") -> tuple[Sequence[Record], str]:
        return await self._backend.scan(cursor)

    async def replace(self, changes: Sequence[tuple[Record, Mapping[str, Any]]]) -> int:
        for _ in range(50):
            await self._backend.ping()
        return await self._backend.replace(changes)
