"""The notebook: what tools remember for a caller, across requests and replicas."""

from __future__ import annotations

import asyncio

import pytest

from redmine_mcp_core.storage import EncryptedStore, MemoryStore, StoreUnavailable
from redmine_mcp_core.tools.notebook import Notebook, NotebookFailed

ENCRYPTION, NAMES = b"e" * 32, b"n" * 32


class Broken(MemoryStore):
    """A store whose server is gone."""

    async def get(self, key: str, *, collection: str | None = None) -> None:  # noqa: ARG002
        raise StoreUnavailable("no connection")


async def test_a_note_is_read_on_another_replica() -> None:
    """Two servers with one store share the notes of a caller, and of no other."""
    store = MemoryStore()
    await Notebook(store, "5").remember("k", {"made": 7}, ttl=60)

    assert await Notebook(store, "5").recall("k") == {"made": 7}
    assert await Notebook(store, "6").recall("k") is None


async def test_a_note_fades() -> None:
    """After its time to live, and when it is forgotten."""
    now = 0.0
    notebook = Notebook(MemoryStore(clock=lambda: now), "5")
    await notebook.remember("k", {"made": 7}, ttl=60)
    await notebook.remember("other", {}, ttl=60)
    await notebook.forget("other")

    assert await notebook.recall("other") is None
    now = 61.0
    assert await notebook.recall("k") is None


async def test_one_of_several_claims_is_granted() -> None:
    """However many ask for the same name at once."""
    notebook = Notebook(MemoryStore(), "5")

    answers = await asyncio.gather(*(notebook.claim("k", {"by": i}, ttl=60) for i in range(5)))

    assert sorted(answers) == [False] * 4 + [True]


async def test_only_one_is_in_the_block() -> None:
    """A second one waits until the first has left; one that waits too long is told so."""
    store = MemoryStore()
    first, second = Notebook(store, "5"), Notebook(store, "5")
    async with first.alone("k", ttl=60, wait=0):
        with pytest.raises(NotebookFailed, match="still being carried out"):
            async with second.alone("k", ttl=60, wait=0):
                pytest.fail("two at once")
        async with Notebook(store, "6").alone("k", ttl=60, wait=0):
            pass
    async with second.alone("k", ttl=60, wait=0):
        pass


async def test_a_store_that_fails_is_a_sentence() -> None:
    """A tool's caller hears that calling again is safe, and nothing of the store."""
    with pytest.raises(NotebookFailed, match="Call again with the same arguments") as failure:
        await Notebook(Broken(), "5").recall("k")

    assert "no connection" not in str(failure.value)


async def test_the_store_sees_no_note() -> None:
    """Under the host's encryption neither the note nor the caller's name is to be read."""
    inner = MemoryStore()
    store = EncryptedStore(inner, [ENCRYPTION], name_key=NAMES)
    await Notebook(store, "5@http://redmine.test").remember("key", {"made": "plain"}, ttl=60)

    records, _ = await inner.scan()
    assert len(records) == 1
    assert "plain" not in str(records[0].value)
    assert "redmine.test" not in records[0].key + records[0].collection
