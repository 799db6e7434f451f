"""The file: whose it is, who may read it, and what is said about a wrong one."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redmine_mcp_storage_sqlite import database, plugin
from redmine_mcp_storage_sqlite.plugin import path_from_url

from redmine_mcp_core import StoreError, StoreUnavailable

(BACKEND,) = plugin.register_token_stores()
NOBODY = 65534


async def put(path: Path) -> None:
    async with BACKEND.open(f"sqlite://{path}") as store:
        await store.put("key", {})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def forbid_writing(path: Path) -> None:
    path.chmod(mode(path) & ~0o222)


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """Hand out a directory of an ordinary user's and become that user: root may write anywhere."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        root = os.geteuid() == 0
        if root:
            os.chown(directory, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield directory
        finally:
            if root:
                os.seteuid(0)
            directory.chmod(0o700)


def test_it_answers_to_sqlite() -> None:
    """The backend describes itself; nothing is opened for that."""
    assert BACKEND.name == "sqlite"
    assert BACKEND.schemes == ("sqlite",)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/mcp/tokens.sqlite3", "/var/lib/mcp/tokens.sqlite3"),
        ("sqlite:////var/lib/tokens.sqlite3", "/var/lib/tokens.sqlite3"),
        ("sqlite:///with%20space/100%25.sqlite3", "/with space/100%.sqlite3"),
        ("sqlite:///with space.sqlite3", "/with space.sqlite3"),
        ("sqlite:///~/tokens.sqlite3", "/home/alice/tokens.sqlite3"),
    ],
)
def test_the_url_names_an_absolute_path(
    url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three slashes and a path; ~ is the user's home directory."""
    monkeypatch.setenv("HOME", "/home/alice")

    assert path_from_url(url) == Path(path)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite:tokens.sqlite3", "no absolute path"),
        ("sqlite://tokens.sqlite3", "no absolute path"),
        ("sqlite://var/tokens.sqlite3", "no absolute path"),
        ("sqlite:///", "no absolute path"),
        ("sqlite://", "no absolute path"),
        ("sqlite:///:memory:", "TOKEN_STORE_URL as memory:"),
        ("sqlite:///tokens.sqlite3?mode=ro", "no options"),
        ("sqlite:///tokens#1.sqlite3", "no options"),
        ("sqlite:///~nobody-by-that-name/tokens.sqlite3", "home directory"),
    ],
)
async def test_a_url_without_an_absolute_path_is_refused(url: str, sentence: str) -> None:
    """Where a relative path leads depends on where the server was started: it is refused."""
    with pytest.raises(StoreError, match=sentence):
        async with BACKEND.open(url):
            pass


async def test_file_and_directories_are_the_owners_alone(tmp_path: Path) -> None:
    """What the store creates is 0600 in 0700, -wal and -shm too, whatever the umask."""
    path = tmp_path / "new" / "newer" / "tokens.sqlite3"
    before = os.umask(0)
    try:
        async with BACKEND.open(f"sqlite://{path}") as store:
            await store.put("key", {})
            files = {file.name: mode(file) for file in path.parent.iterdir()}
    finally:
        os.umask(before)

    assert files == {
        "tokens.sqlite3": 0o600,
        "tokens.sqlite3-wal": 0o600,
        "tokens.sqlite3-shm": 0o600,
    }
    assert mode(tmp_path / "new") == 0o700
    assert mode(tmp_path / "new" / "newer") == 0o700


async def test_a_file_open_to_others_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that was created by somebody else keeps its mode, and the log says so."""
    path = tmp_path / "tokens.sqlite3"
    path.touch(0o644)
    path.chmod(0o644)
    await put(path)

    assert mode(path) == 0o644
    (record,) = caplog.records
    assert record.getMessage() == "store_file_open_to_others"
    assert vars(record)["mode"] == "644"


async def test_entries_outlive_the_process(tmp_path: Path) -> None:
    """What was put is there when the file is opened again."""
    url = f"sqlite://{tmp_path}/tokens.sqlite3"
    async with BACKEND.open(url) as store:
        await store.put("key", {"n": 1}, ttl=60)
    async with BACKEND.open(url) as store:
        assert await store.get("key") == {"n": 1}


async def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """The file is in WAL mode; the writer syncs each commit (2 is FULL)."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        db = store._writer  # type: ignore[attr-defined]
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Somebody's letter is neither read nor overwritten."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear Alice, " * 1000)

    with pytest.raises(StoreError, match="is not a SQLite database"):
        await put(path)
    assert path.read_text() == "Dear Alice, " * 1000


async def test_another_applications_database_is_refused(tmp_path: Path) -> None:
    """A database that is not ours is left as it is."""
    path = tmp_path / "other.sqlite3"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE entries (a)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(StoreError, match="another application"):
        await put(path)
    assert path.read_bytes() == before


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """After a downgrade the old version does not touch what it does not understand."""
    path = tmp_path / "tokens.sqlite3"
    await put(path)
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 7")
    newer.close()

    with pytest.raises(StoreError, match=r"newer version \(schema 7.*upgrade"):
        await put(path)


async def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A path that is a directory is said to be unusable."""
    with pytest.raises(StoreError, match="cannot be written"):
        await put(tmp_path)


async def test_a_read_only_file_is_refused(ordinary_user: Path) -> None:
    """At opening, not at the first sign-in."""
    path = ordinary_user / "tokens.sqlite3"
    await put(path)
    forbid_writing(path)

    with pytest.raises(StoreError, match="cannot be written"):
        await put(path)


async def test_a_read_only_directory_is_refused(ordinary_user: Path) -> None:
    """Neither a new file nor the -wal of an old one can be made in there."""
    path = ordinary_user / "tokens.sqlite3"
    await put(path)
    forbid_writing(ordinary_user)

    with pytest.raises(StoreError, match="cannot be written"):
        await put(path)
    with pytest.raises(StoreError, match="cannot be created: Permission denied"):
        await put(ordinary_user / "other.sqlite3")
    with pytest.raises(StoreError, match="cannot be created: Permission denied"):
        await put(ordinary_user / "new" / "other.sqlite3")


async def test_a_write_that_waits_holds_up_nobody(tmp_path: Path) -> None:
    """While another process writes, reads go on; the write follows as soon as it can."""
    path = tmp_path / "tokens.sqlite3"
    async with BACKEND.open(f"sqlite://{path}") as store:
        await store.put("key", {"n": 1})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.ensure_future(store.put("key", {"n": 2}))
        for _ in range(100):
            assert await store.get("key") == {"n": 1}
        assert not write.done()
        other.execute("ROLLBACK")
        other.close()
        await write

        assert await store.get("key") == {"n": 2}


async def test_a_lock_that_is_never_released_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the write gives up and says why."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    path = tmp_path / "tokens.sqlite3"
    async with BACKEND.open(f"sqlite://{path}") as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            await store.put("key", {})
        other.close()
        await store.put("key", {})


async def test_a_write_follows_at_once_when_the_lock_is_free(tmp_path: Path) -> None:
    """Whoever waits for another process asks often; SQLite by itself would be 40 ms late here."""
    path = tmp_path / "tokens.sqlite3"
    late = []
    async with BACKEND.open(f"sqlite://{path}") as store:
        other = sqlite3.connect(path, isolation_level=None)
        for _ in range(3):
            other.execute("BEGIN IMMEDIATE")
            write = asyncio.ensure_future(store.put("key", {}))
            await asyncio.sleep(0.135)
            other.execute("ROLLBACK")
            released = time.perf_counter()
            await write
            late.append(time.perf_counter() - released)
        other.close()

    assert min(late) < 0.02


async def test_the_log_is_moved_into_the_file_little_by_little(tmp_path: Path) -> None:
    """A write that finds the log full moves it: so much that this takes milliseconds, no more."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        db = store._writer  # type: ignore[attr-defined]
        assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == (database.CHECKPOINT_PAGES,)
        for number in range(300):
            await store.put(f"key-{number}", {"filler": "x" * 4000})
        log = tmp_path / "tokens.sqlite3-wal"

        assert log.stat().st_size < 2 * database.CHECKPOINT_PAGES * 4096


async def test_a_full_disk_is_unavailable_until_there_is_room(tmp_path: Path) -> None:
    """The write that does not fit is refused whole; what was there stays readable."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        await store.put("small", {"n": 1})
        db = store._writer  # type: ignore[attr-defined]
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.put_many(["small", "large"], [{"n": 2}, {"x": "x" * 100_000}])
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.ping()
        assert await store.get("small") == {"n": 1}

        db.execute("PRAGMA max_page_count = 1000000")
        await store.ping()
        await store.put("large", {"x": "x" * 100_000})


async def test_a_file_that_was_removed_does_not_ping(tmp_path: Path) -> None:
    """Writing on into a file that nobody will find again is not health."""
    path = tmp_path / "tokens.sqlite3"
    async with BACKEND.open(f"sqlite://{path}") as store:
        await store.ping()
        path.unlink()

        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            await store.ping()


async def test_a_closed_store_is_unavailable(tmp_path: Path) -> None:
    """A request that comes in during shutdown gets an answer, not a traceback."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        pass

    with pytest.raises(StoreUnavailable):
        await store.get("key")
    with pytest.raises(StoreUnavailable):
        await store.put("key", {})


async def test_purging_deletes_what_has_expired_from_the_file(tmp_path: Path) -> None:
    """More rows than one step takes go all, and the answer is their number."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        keys = [f"key-{number}" for number in range(1234)]
        await store.put_many(keys, [{}] * len(keys), ttl=60)
        await store.put_many(["live", "stays"], [{}, {}])
        db = store._writer  # type: ignore[attr-defined]
        db.execute("UPDATE entries SET expires_at = 1 WHERE expires_at IS NOT NULL")

        assert await store.purge_expired() == 1234
        assert db.execute("SELECT count(*) FROM entries").fetchone() == (2,)


async def test_a_sweep_holds_no_write_up_for_long(tmp_path: Path) -> None:
    """While tens of thousands of rows go, each write in between waits for one small step only."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        keys = [f"key-{number}" for number in range(20_000)]
        await store.put_many(keys, [{"filler": "x" * 500}] * len(keys), ttl=60)
        db = store._writer  # type: ignore[attr-defined]
        db.execute("UPDATE entries SET expires_at = 1")
        sweep = asyncio.create_task(store.purge_expired())
        writes = 0
        while not sweep.done():
            await store.put("other", {"n": writes})
            writes += 1

    assert await sweep == len(keys)
    # As many as there are steps, or nearly: each write gets its turn after the one under way.
    assert writes > 50


async def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """An upgrade keeps the sign-ins, and adds what locks and counters need."""
    path = tmp_path / "tokens.sqlite3"
    await put(path)
    with sqlite3.connect(path) as older:
        older.executescript("DROP TABLE locks; DROP TABLE counters; PRAGMA user_version = 1")
    older.close()

    async with BACKEND.open(f"sqlite://{path}") as store:
        assert await store.get("key") == {}
        assert await store.increment("name", window=60) == 1
        async with store.lock("name", ttl=60):
            pass


async def test_a_sweep_takes_locks_and_counters_along(tmp_path: Path) -> None:
    """What has run out leaves no row behind, and a fence does not come again for that."""
    async with BACKEND.open(f"sqlite://{tmp_path}/tokens.sqlite3") as store:
        first = await store.acquire_lock("name", "the dead", ttl=60)
        await store.increment("name", window=60)
        db = store._writer  # type: ignore[attr-defined]
        for table in ("locks", "counters"):
            db.execute(f"UPDATE {table} SET expires_at = 1")
        await store.purge_expired()

        assert db.execute("SELECT count(*) FROM locks").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM counters").fetchone() == (0,)
        second = await store.acquire_lock("name", "alice", ttl=60)
        assert first is not None
        assert second is not None
        assert second > first
