"""From a URL to a store: the right one or an error, and no password on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from redmine_mcp_core.storage import (
    MemoryStore,
    RecordStore,
    StoreError,
    StoreUnavailable,
    TokenStoreBackend,
    memory_backend,
    open_store,
    redact_url,
)

CANARY = "s3cret"


@pytest.mark.parametrize("url", ["memory:", "memory://", "MEMORY:"])
async def test_the_scheme_picks_the_backend(url: str) -> None:
    """The memory store comes through the same door as a plugin's."""
    async with open_store(url, [memory_backend]) as store:
        assert isinstance(store, MemoryStore)


async def test_each_opening_of_memory_is_a_store_of_its_own() -> None:
    """Nothing is left over from one to the next."""
    async with open_store("memory:", [memory_backend]) as one:
        await one.put("key", {})
    async with open_store("memory:", [memory_backend]) as two:
        assert await two.get("key") is None


@pytest.mark.parametrize(
    ("url", "distribution"),
    [
        (f"sqlite:///{CANARY}", "redmine-mcp-storage-sqlite"),
        (f"redis://:{CANARY}@host:6379/0", "redmine-mcp-storage-redis"),
        (f"rediss://:{CANARY}@host:6379/0", "redmine-mcp-storage-redis"),
        (f"rediss+sentinel://:{CANARY}@one,two/tokens", "redmine-mcp-storage-redis"),
        (f"redis+cluster://:{CANARY}@one,two", "redmine-mcp-storage-redis"),
        (f"REDIS://:{CANARY}@host", "redmine-mcp-storage-redis"),
    ],
)
def test_a_missing_backend_is_named_with_its_package(url: str, distribution: str) -> None:
    """The error says what to install; there is no fallback to another store."""
    with pytest.raises(StoreError, match=f"pip install {distribution}`") as caught:
        open_store(url, [memory_backend])

    assert CANARY not in str(caught.value)


def test_an_unknown_scheme_is_answered_with_the_known_ones() -> None:
    """Whoever mistyped sees what there is."""
    with pytest.raises(
        StoreError, match=r"answers to redsi: URLs; .* begin with memory:\."
    ) as caught:
        open_store(f"redsi://:{CANARY}@host", [memory_backend])

    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", CANARY, f"{CANARY}:x@host", f"/{CANARY}", f":{CANARY}@h", "//"]
)
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    """It may be a password that was put into the wrong variable."""
    with pytest.raises(
        StoreError, match="No token store answers to this TOKEN_STORE_URL"
    ) as caught:
        open_store(url, [memory_backend])

    assert CANARY not in str(caught.value)


def test_two_backends_for_one_scheme_are_refused() -> None:
    """Which plugin was loaded first does not decide where tokens go."""
    rival = TokenStoreBackend(name="rival", schemes=("memory",), open=memory_backend.open)

    with pytest.raises(StoreError, match=r"More than one .* \(memory, rival\)"):
        open_store("memory:", [memory_backend, rival])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("memory:", "memory:"),
        ("sqlite:///var/lib/tokens.sqlite3", "sqlite:///var/lib/tokens.sqlite3"),
        ("sqlite:///var/lib/a@b/tokens.sqlite3", "sqlite:///var/lib/a@b/tokens.sqlite3"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        (f"redis://alice:{CANARY}@host:6379/0", "redis://host:6379/0"),
        (f"redis://:{CANARY}@{CANARY}@host/0", "redis://host/0"),
        (f"redis://:a/{CANARY}@host/0", "redis://host/0"),
        (f"redis://:{CANARY}?x@host/0", "redis://(hidden)"),
        (f"redis://:{CANARY}#x@host/0", "redis://(hidden)"),
        (f"redis://host/0?password={CANARY}", "redis://host/0"),
        (f"redis://host/0?password=@{CANARY}", "redis://(hidden)"),
        (f"{CANARY}", "(hidden)"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    """User, password and options never reach a log."""
    assert redact_url(url) == shown


async def test_an_open_store_is_swept_until_it_is_closed() -> None:
    """What has expired goes by itself; the sweep ends with the store, and an outage ends it not."""
    swept = asyncio.Event()
    turns = 0

    class Store(MemoryStore):
        async def purge_expired(self) -> int:
            nonlocal turns
            turns += 1
            if turns == 1:
                raise StoreUnavailable("away")
            swept.set()
            return 0

    @asynccontextmanager
    async def open_it(_url: str) -> AsyncGenerator[RecordStore]:
        yield Store()

    backend = TokenStoreBackend(name="mine", schemes=("mine",), open=open_it)
    before = asyncio.all_tasks()
    async with open_store("mine:", [backend], sweep_every=0.001), asyncio.timeout(5):
        await swept.wait()

    assert asyncio.all_tasks() == before
