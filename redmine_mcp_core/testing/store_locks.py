"""What a token store promises about locks and counters; ``token_store_contract.py`` hands it on."""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from redmine_mcp_core.storage import LockLost, LockTimeout, StoreUnavailable, TokenStore
from redmine_mcp_core.testing.store_entries import CALLERS, ODD_NAMES, SOON


class LockContract:
    """Locks and counters: nobody is let in twice, and nothing is counted twice."""

    @pytest.fixture
    def store(self) -> TokenStore:
        """Return an empty store."""
        raise NotImplementedError("override the fixture `store`")

    async def test_a_lock_is_held_by_one_at_a_time(self, store: TokenStore) -> None:
        """Callers that want the same lock come in one after the other, and all of them do."""
        inside = 0
        done: list[int] = []

        async def work(number: int) -> None:
            nonlocal inside
            async with store.lock("name", ttl=30):
                inside += 1
                await asyncio.sleep(0)
                assert inside == 1
                inside -= 1
                done.append(number)

        await asyncio.gather(*(work(number) for number in range(CALLERS)))

        assert sorted(done) == list(range(CALLERS))

    async def test_each_holder_has_a_larger_fence(self, store: TokenStore) -> None:
        """Of two holders of a lock the fence tells who came later, however the first one ended."""
        fences = []
        for _ in range(5):
            async with store.lock("name", ttl=30) as lease:
                fences.append(lease.fence)
        fences.append(await taken(store, "name", "the dead", ttl=SOON))
        fences.append(await taken(store, "name", "the late", ttl=SOON))
        async with store.lock("name", ttl=30) as lease:
            fences.append(lease.fence)

        assert fences == sorted(set(fences))

    async def test_locks_of_other_names_are_free(self, store: TokenStore) -> None:
        """Holding one lock keeps nobody from another; any text is a name."""
        fences = [await store.acquire_lock(name, "alice", ttl=30) for name in ODD_NAMES]

        assert None not in fences
        assert [True] * len(ODD_NAMES) == [
            await store.release_lock(name, "alice") for name in ODD_NAMES
        ]

    async def test_nobody_else_can_release_a_lock(self, store: TokenStore) -> None:
        """A lock is given back by its owner only, and only once."""
        await store.acquire_lock("name", "alice", ttl=30)

        assert await store.release_lock("name", "bob") is False
        assert await store.acquire_lock("name", "bob", ttl=30) is None
        assert await store.release_lock("name", "alice") is True
        assert await store.release_lock("name", "alice") is False
        assert await store.acquire_lock("name", "bob", ttl=30) is not None

    async def test_an_owner_may_ask_again(self, store: TokenStore) -> None:
        """The same owner gets the same fence, and the time starts anew: a repeat does no harm."""
        first = await store.acquire_lock("name", "alice", ttl=SOON)
        second = await store.acquire_lock("name", "alice", ttl=30)
        await store.acquire_lock("other", "alice", ttl=SOON)
        await until_true(lambda: store.acquire_lock("other", "bob", ttl=30))

        assert first == second
        assert await store.acquire_lock("name", "bob", ttl=30) is None

    async def test_a_lock_runs_out_by_itself(self, store: TokenStore) -> None:
        """A holder who died keeps the others waiting for the lock's time, no longer."""
        await store.acquire_lock("name", "the dead", ttl=SOON)

        async with store.lock("name", ttl=30, wait=5) as lease:
            assert lease.fence

        assert await store.release_lock("name", "the dead") is False

    async def test_whoever_waits_too_long_is_told(self, store: TokenStore) -> None:
        """The wait has an end, and reads as an outage: trying again later may help."""
        async with store.lock("name", ttl=30):
            with pytest.raises(LockTimeout):
                async with store.lock("name", ttl=30, wait=SOON):
                    raise AssertionError

        assert issubclass(LockTimeout, StoreUnavailable)

    async def test_a_holder_who_lost_the_lock_is_told(self, store: TokenStore) -> None:
        """While working, by renewing; at the end, by an error. The new holder keeps the lock."""

        async def work_too_long() -> None:
            async with store.lock("name", ttl=SOON) as lease:
                await lease.renew()
                await taken(store, "name", "bob", ttl=30)
                with pytest.raises(LockLost):
                    await lease.renew()

        with pytest.raises(LockLost):
            await work_too_long()
        assert await store.acquire_lock("name", "carol", ttl=30) is None

    async def test_an_error_under_the_lock_gives_it_back(self, store: TokenStore) -> None:
        """The error comes out as it was, and the next one may come in at once."""
        with pytest.raises(KeyError):
            async with store.lock("name", ttl=30):
                raise KeyError

        assert await store.acquire_lock("name", "bob", ttl=30) is not None

    async def test_a_cancelled_holder_gives_the_lock_back(self, store: TokenStore) -> None:
        """A client that hangs up in the middle does not lock itself out."""
        entered = asyncio.Event()

        async def work() -> None:
            async with store.lock("name", ttl=30):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await store.acquire_lock("name", "bob", ttl=30) is not None

    async def test_a_counter_loses_and_doubles_nothing(self, store: TokenStore) -> None:
        """Of callers that count at the same moment each gets a sum of its own."""
        sums = await asyncio.gather(*(store.increment("name", window=30) for _ in range(100)))

        assert sorted(sums) == list(range(1, 101))

    async def test_a_counter_adds_what_it_is_told(self, store: TokenStore) -> None:
        """Counters are apart from each other, from entries and from locks of the same name."""
        await store.put("name", {})
        await store.acquire_lock("name", "alice", ttl=30)

        assert [await store.increment("name", window=30, by=by) for by in (5, 1)] == [5, 6]
        assert [1] * len(ODD_NAMES) == [
            await store.increment(f"odd {name}", window=30) for name in ODD_NAMES
        ]
        assert await store.get("name") == {}

    async def test_a_counter_begins_anew_after_its_window(self, store: TokenStore) -> None:
        """The window opens with the first addition, and later ones do not prolong it."""
        assert await store.increment("name", window=SOON, by=10) == 10
        counted = 0

        async def counts_anew() -> bool:
            nonlocal counted
            counted = await store.increment("name", window=SOON)
            return counted < 10

        await until_true(counts_anew)
        assert counted == 1

    async def test_what_cannot_be_counted_or_locked_is_refused(self, store: TokenStore) -> None:
        """Counting down or by nothing, no window and no time to live are mistakes."""
        for by in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                await store.increment("name", window=30, by=by)
        for time in (0, -1, math.nan, math.inf):
            with pytest.raises(ValueError, match="time to live"):
                await store.increment("name", window=time)
            with pytest.raises(ValueError, match="time to live"):
                await store.acquire_lock("name", "alice", ttl=time)

        assert await store.increment("name", window=30) == 1

    async def test_purging_leaves_locks_and_counters_that_live(self, store: TokenStore) -> None:
        """A sweep takes no lock away and sets no counter back."""
        await store.acquire_lock("name", "alice", ttl=30)
        await store.increment("name", window=30)
        await store.purge_expired()

        assert await store.acquire_lock("name", "bob", ttl=30) is None
        assert await store.increment("name", window=30) == 2


async def until_true(ask: Callable[[], Awaitable[object]]) -> None:
    """Wait until ``ask`` answers something true, for a few seconds at most."""
    async with asyncio.timeout(5):
        while not await ask():  # noqa: ASYNC110 - a store has no event to wait for
            await asyncio.sleep(SOON / 10)


async def taken(store: TokenStore, name: str, owner: str, *, ttl: float) -> int:
    """Wait until a lock is free, take it, and return the fence."""
    async with asyncio.timeout(5):
        while (fence := await store.acquire_lock(name, owner, ttl=ttl)) is None:  # noqa: ASYNC110
            await asyncio.sleep(SOON / 10)
    return fence
