"""What a token store promises about its entries; ``token_store_contract.py`` hands it on."""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from redmine_mcp_core.storage import TokenStore

SOON = 0.05
"""Seconds after which an entry of these tests expires."""
CALLERS = 20
"""How many tasks race for one entry."""

NESTED: dict[str, Any] = {
    "access_token": "t-1",
    "scopes": ["view_issues", "add_issues"],
    "raw": {"nothing": None, "yes": True, "many": [1, -2.5, {"deep": []}], "": ""},
    "login": "žluťoučký kůň 🐎",
    "nul": "a\x00b",
}

ODD_NAMES = (
    "",
    " ",
    "a b",
    "a:b",
    "a::b",
    ":",
    "%3A",
    "../../etc/passwd",
    "*",
    "?[a-z]",
    "quote'\";--",
    "line\nbreak\r\n",
    "nul\x00byte",
    "kůň 🐎",
    "x" * 2000,
)


async def until_gone(read: Callable[[], Awaitable[object]]) -> None:
    """Wait until ``read`` answers None, for a few seconds at most."""
    async with asyncio.timeout(5):
        while await read() is not None:  # noqa: ASYNC110 - a store has no event to wait for
            await asyncio.sleep(SOON / 10)


class EntryContract:
    """Entries: what was put, for how long, and who takes it."""

    @pytest.fixture
    def store(self) -> TokenStore:
        """Return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    async def test_it_has_every_operation(self, store: TokenStore) -> None:
        """A store has all the operations of the protocol."""
        assert isinstance(store, TokenStore)

    async def test_what_was_put_is_read_back(self, store: TokenStore) -> None:
        """Nesting, unicode, null and numbers come back as they went in."""
        await store.put("key", NESTED, collection="tokens")

        assert await store.get("key", collection="tokens") == NESTED

    async def test_a_mapping_of_a_megabyte_fits(self, store: TokenStore) -> None:
        """A value of 1 MB is an entry like any other."""
        value = {"large": "0123456789abcdef" * 65_536}

        await store.put("key", value)

        assert value == await store.get("key")

    async def test_what_was_never_put_is_absent(self, store: TokenStore) -> None:
        """An unknown name is None, not an error."""
        assert await store.get("key", collection="tokens") is None
        assert await store.ttl("key", collection="tokens") == (None, None)
        assert await store.pop("key", collection="tokens") is None
        assert await store.delete("key", collection="tokens") is False

    async def test_an_empty_value_is_not_an_absent_one(self, store: TokenStore) -> None:
        """An empty mapping can be stored, and holds its name."""
        await store.put("key", {})

        assert await store.get("key") == {}
        assert await store.set_if_absent("key", {"n": 1}) is False
        assert await store.pop("key") == {}

    async def test_a_second_put_replaces_the_first(self, store: TokenStore) -> None:
        """The last value wins, and nothing of the first one shines through."""
        await store.put("key", {"a": 1, "b": 2})
        await store.put("key", {"a": 3})

        assert await store.get("key") == {"a": 3}

    async def test_a_caller_cannot_alter_what_is_stored(self, store: TokenStore) -> None:
        """Neither the mapping that was put nor the one that was read is the entry itself."""
        value = {"scopes": ["view_issues"]}
        await store.put("key", value)
        value["scopes"].append("admin")
        read = await store.get("key")
        assert read is not None
        read["scopes"].append("admin")

        assert await store.get("key") == {"scopes": ["view_issues"]}

    async def test_any_text_is_a_key(self, store: TokenStore) -> None:
        """Every text is a key of its own."""
        for number, key in enumerate(ODD_NAMES):
            await store.put(key, {"n": number})

        assert [{"n": number} for number in range(len(ODD_NAMES))] == await store.get_many(
            ODD_NAMES
        )

    async def test_any_text_names_a_collection(self, store: TokenStore) -> None:
        """Every text but the empty one, which means the default, is a collection of its own."""
        for number, collection in enumerate(ODD_NAMES[1:]):
            await store.put("key", {"n": number}, collection=collection)

        assert await store.get("key") is None
        for number, collection in enumerate(ODD_NAMES[1:]):
            assert {"n": number} == await store.get("key", collection=collection)

    async def test_collection_and_key_do_not_run_together(self, store: TokenStore) -> None:
        """Where a collection's name ends and the key begins is never in doubt."""
        await store.put("b:c", {"n": 1}, collection="a")
        await store.put("c", {"n": 2}, collection="a:b")

        assert await store.get("b:c", collection="a") == {"n": 1}
        assert await store.get("c", collection="a:b") == {"n": 2}

    async def test_collections_do_not_see_each_other(self, store: TokenStore) -> None:
        """The same key in two collections is two entries, for reading and for deleting."""
        await store.put("key", {"n": 1}, collection="one")
        await store.put("key", {"n": 2}, collection="two")
        await store.put("key", {"n": 3})

        assert await store.delete("key", collection="one") is True
        assert await store.pop("key", collection="two") == {"n": 2}
        assert await store.get("key") == {"n": 3}

    async def test_delete_tells_whether_there_was_an_entry(self, store: TokenStore) -> None:
        """The first delete says True, the second one False."""
        await store.put("key", {"n": 1})

        assert await store.delete("key") is True
        assert await store.delete("key") is False
        assert await store.get("key") is None

    async def test_many_at_once_keep_their_order(self, store: TokenStore) -> None:
        """Reading many answers in the order asked for, None for what is not there."""
        await store.put_many(["a", "b"], [{"n": 1}, {"n": 2}], collection="c", ttl=60)

        assert await store.get_many(["b", "x", "a"], collection="c") == [{"n": 2}, None, {"n": 1}]
        (b, left), absent = await store.ttl_many(["b", "x"], collection="c")
        assert b == {"n": 2}
        assert left is not None
        assert 50 < left <= 60
        assert absent == (None, None)
        assert await store.delete_many(["a", "b", "x", "a"], collection="c") == 2
        assert await store.get_many(["a", "b"], collection="c") == [None, None]

    async def test_many_of_nothing_is_nothing(self, store: TokenStore) -> None:
        """Empty lists are no error."""
        await store.put_many([], [])

        assert await store.get_many([]) == []
        assert await store.ttl_many([]) == []
        assert await store.delete_many([]) == 0

    async def test_put_many_refuses_lists_of_unequal_length(self, store: TokenStore) -> None:
        """A key without a value is a mistake, and then nothing is written."""
        with pytest.raises(ValueError, match=r"zip|length"):
            await store.put_many(["a", "b"], [{"n": 1}])

        assert await store.get("a") is None

    async def test_put_many_writes_all_or_nothing(self, store: TokenStore) -> None:
        """One value that JSON cannot hold keeps the others out, too."""
        with pytest.raises(TypeError):
            await store.put_many(["a", "b"], [{"n": 1}, {"n": datetime.now(UTC)}])

        assert await store.get_many(["a", "b"]) == [None, None]

    async def test_what_json_cannot_hold_is_refused(self, store: TokenStore) -> None:
        """A value that would not come back as it went in is a TypeError at once."""
        value = {"at": datetime.now(UTC)}

        with pytest.raises(TypeError):
            await store.put("key", value)
        with pytest.raises(TypeError):
            await store.set_if_absent("key", value)

        assert await store.get("key") is None

    async def test_without_a_time_to_live_an_entry_stays(self, store: TokenStore) -> None:
        """No time to live: the seconds left are None, and purging leaves it alone."""
        await store.put("key", {"n": 1})
        await store.purge_expired()

        assert await store.ttl("key") == ({"n": 1}, None)

    async def test_the_seconds_left_are_told(self, store: TokenStore) -> None:
        """The time to live runs down from what was set, to better than a second."""
        await store.put("key", {"n": 1}, ttl=60)

        value, left = await store.ttl("key")
        assert value == {"n": 1}
        assert left is not None
        assert 59 < left <= 60

    async def test_fractions_of_a_second_count(self, store: TokenStore) -> None:
        """A time to live is not rounded up to whole seconds."""
        await store.put("key", {"n": 1}, ttl=SOON)

        _, left = await store.ttl("key")
        assert left is None or left <= SOON

    async def test_an_expired_entry_is_absent_to_every_operation(self, store: TokenStore) -> None:
        """Past its time to live an entry is gone for all, whether or not it was swept."""
        names = [f"key-{number}" for number in range(4)]
        await store.put_many(names, [{"n": 1}] * 4, ttl=SOON)
        await until_gone(lambda: store.get("key-0"))

        assert await store.get_many(names) == [None] * 4
        assert await store.ttl_many(names) == [(None, None)] * 4
        assert await store.pop("key-0") is None
        assert await store.delete("key-1") is False
        assert await store.delete_many(["key-2"]) == 0
        assert await store.set_if_absent("key-3", {"n": 2}) is True
        assert await store.ttl("key-3") == ({"n": 2}, None)

    async def test_a_new_put_forgets_the_old_time_to_live(self, store: TokenStore) -> None:
        """The time to live belongs to the value, not to the name."""
        await store.put("key", {"n": 1}, ttl=SOON)
        await store.put("key", {"n": 2})
        await store.put("other", {"n": 1}, ttl=SOON)
        await until_gone(lambda: store.get("other"))

        assert await store.ttl("key") == ({"n": 2}, None)

    @pytest.mark.parametrize("ttl", [0, -1, math.nan, math.inf])
    async def test_a_time_to_live_must_be_positive(self, store: TokenStore, ttl: float) -> None:
        """A time to live that means nothing is a ValueError, and then nothing is written."""
        with pytest.raises(ValueError, match="time to live"):
            await store.put("key", {"n": 1}, ttl=ttl)
        with pytest.raises(ValueError, match="time to live"):
            await store.put_many(["key"], [{"n": 1}], ttl=ttl)
        with pytest.raises(ValueError, match="time to live"):
            await store.set_if_absent("key", {"n": 1}, ttl=ttl)

        assert await store.get("key") is None

    async def test_purging_leaves_live_entries_alone(self, store: TokenStore) -> None:
        """Only what has expired goes; the answer is how many the sweep found, if any."""
        await store.put_many(["a", "b"], [{"n": 1}] * 2, ttl=SOON)
        await store.put("c", {"n": 1}, ttl=60)
        await until_gone(lambda: store.get("b"))

        assert await store.purge_expired() in {0, 1, 2}
        assert await store.purge_expired() == 0
        assert await store.get_many(["a", "b", "c"]) == [None, None, {"n": 1}]

    async def test_pop_takes_the_entry_out(self, store: TokenStore) -> None:
        """What was popped is returned once."""
        await store.put("key", NESTED, ttl=60)

        assert await store.pop("key") == NESTED
        assert await store.pop("key") is None
        assert await store.get("key") is None

    async def test_set_if_absent_leaves_a_live_entry_alone(self, store: TokenStore) -> None:
        """The first one writes; the second one changes neither value nor time to live."""
        assert await store.set_if_absent("key", {"n": 1}, collection="c", ttl=60) is True
        assert await store.set_if_absent("key", {"n": 2}, collection="c") is False

        value, left = await store.ttl("key", collection="c")
        assert value == {"n": 1}
        assert left is not None

    async def test_set_if_absent_writes_again_after_pop(self, store: TokenStore) -> None:
        """A name that was taken out is free."""
        await store.set_if_absent("key", {"n": 1})
        await store.pop("key")

        assert await store.set_if_absent("key", {"n": 2}) is True

    async def test_of_many_poppers_one_wins(self, store: TokenStore) -> None:
        """An authorization code can be redeemed once, however many try at the same moment."""
        for turn in range(10):
            await store.put("code", {"turn": turn})
            taken = await asyncio.gather(*(store.pop("code") for _ in range(CALLERS)))

            assert [{"turn": turn}] == [value for value in taken if value is not None]

    async def test_of_many_writers_of_an_absent_entry_one_wins(self, store: TokenStore) -> None:
        """Whoever is told True is the one whose value is stored."""
        for turn in range(10):
            won = await asyncio.gather(
                *(store.set_if_absent(f"name-{turn}", {"n": n}) for n in range(CALLERS))
            )

            assert won.count(True) == 1
            assert {"n": won.index(True)} == await store.get(f"name-{turn}")

    async def test_concurrent_writers_do_not_mix(self, store: TokenStore) -> None:
        """Many puts at once are all there afterwards, each with its own value."""
        keys: Sequence[str] = [f"key-{number}" for number in range(100)]
        values: Sequence[Mapping[str, Any]] = [{"n": number} for number in range(100)]
        await asyncio.gather(
            *(store.put(key, value) for key, value in zip(keys, values, strict=True))
        )

        assert values == await store.get_many(keys)

    async def test_ping_answers(self, store: TokenStore) -> None:
        """An open store answers, and the answering leaves nothing behind that can be read."""
        await store.ping()

        assert await store.get("ping") is None
