"""Random histories of one store, compared step by step with a model that a child could check.

Hypothesis invents them, and shortens one that fails to the few steps that matter. It is not
asynchronous, so it runs in a thread of its own and hands every step to the store's event loop.
"""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from redmine_mcp_core.storage import RecordStore, TokenStore

_T = TypeVar("_T")

LONG = 1000
"""Seconds that no history takes."""

keys = st.sampled_from(["a", "b", "a:b", "ü", ""])
names = st.sampled_from(["a", "b"])
owners = st.sampled_from(["alice", "bob"])
values = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2),
        max_leaves=3,
    ),
    max_size=3,
)
ttls = st.sampled_from([None, LONG])

_histories = itertools.count()


async def run_machine(store: TokenStore, histories: int) -> None:
    """Compare ``store`` with the model over so many random histories."""
    loop = asyncio.get_running_loop()
    limits = settings(
        max_examples=histories,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )

    class Machine(StoreMachine):
        def __init__(self) -> None:
            super().__init__(store, loop)

    await asyncio.to_thread(run_state_machine_as_test, Machine, settings=limits)


class StoreMachine(RuleBasedStateMachine):
    """One history: names of its own in the store, and what they ought to hold."""

    def __init__(self, store: TokenStore, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.store = store
        self.loop = loop
        self.own = f"history-{next(_histories)}"
        self.entries: dict[str, tuple[dict[str, Any], float | None]] = {}
        self.locks: dict[str, tuple[str, int]] = {}
        self.fences: dict[str, int] = {}
        self.counters: dict[str, int] = {}

    def run(self, step: Coroutine[Any, Any, _T]) -> _T:
        """Take a step where the store lives."""
        return asyncio.run_coroutine_threadsafe(step, self.loop).result(60)

    @rule(key=keys, value=values, ttl=ttls)
    def put(self, key: str, value: dict[str, Any], ttl: float | None) -> None:
        """The last value wins."""
        self.run(self.store.put(key, value, collection=self.own, ttl=ttl))
        self.entries[key] = (value, ttl)

    @rule(values=st.dictionaries(keys, values), ttl=ttls)
    def put_many(self, values: dict[str, dict[str, Any]], ttl: float | None) -> None:
        """Many puts are like one after the other."""
        self.run(
            self.store.put_many(list(values), list(values.values()), collection=self.own, ttl=ttl)
        )
        self.entries |= {key: (value, ttl) for key, value in values.items()}

    @rule(key=keys, value=values, ttl=ttls)
    def set_if_absent(self, key: str, value: dict[str, Any], ttl: float | None) -> None:
        """True where the model has nothing, and only then does it write."""
        written = self.run(self.store.set_if_absent(key, value, collection=self.own, ttl=ttl))
        assert written == (key not in self.entries)
        self.entries.setdefault(key, (value, ttl))

    @rule(key=keys)
    def pop(self, key: str) -> None:
        """The value, once."""
        taken, _ = self.entries.pop(key, (None, None))
        assert taken == self.run(self.store.pop(key, collection=self.own))

    @rule(key=keys)
    def delete(self, key: str) -> None:
        """Whether there was one."""
        there = self.entries.pop(key, None) is not None
        assert there == self.run(self.store.delete(key, collection=self.own))

    @rule(some=st.lists(keys, unique=True))
    def delete_many(self, some: list[str]) -> None:
        """How many there were."""
        there = sum(self.entries.pop(key, None) is not None for key in some)
        assert there == self.run(self.store.delete_many(some, collection=self.own))

    @rule()
    def purge(self) -> None:
        """A sweep changes nothing that lives."""
        self.run(self.store.purge_expired())

    @rule(name=names, owner=owners)
    def acquire(self, name: str, owner: str) -> None:
        """Free or one's own: a fence, larger than all before or the same. Else None."""
        holder, held = self.locks.get(name, (owner, None))
        fence = self.run(self.store.acquire_lock(self.own + name, owner, ttl=LONG))
        if holder != owner:
            assert fence is None
            return
        assert fence is not None
        assert fence == held if held is not None else fence > self.fences.get(name, 0)
        self.locks[name] = (owner, fence)
        self.fences[name] = fence

    @rule(name=names, owner=owners)
    def release(self, name: str, owner: str) -> None:
        """True for the holder."""
        holds = self.locks.get(name, ("", 0))[0] == owner
        assert holds == self.run(self.store.release_lock(self.own + name, owner))
        if holds:
            del self.locks[name]

    @rule(name=names, by=st.integers(1, 5))
    def increment(self, name: str, by: int) -> None:
        """The sum so far."""
        self.counters[name] = self.counters.get(name, 0) + by
        counted = self.run(self.store.increment(self.own + name, window=LONG, by=by))
        assert self.counters[name] == counted

    @rule(value=values)
    def replace(self, value: dict[str, Any]) -> None:
        """Every record that a scan finds can be replaced, for backends that have scans."""
        if isinstance(self.store, RecordStore):
            self.run(self._replace(self.store, value))

    async def _replace(self, store: RecordStore, value: dict[str, Any]) -> None:
        cursor = None
        while cursor != "":
            records, cursor = await store.scan(cursor or "")
            own = [record for record in records if record.collection == self.own]
            assert await store.replace([(record, value) for record in own]) == len(own)
        self.entries = {key: (value, ttl) for key, (_, ttl) in self.entries.items()}

    @invariant()
    def reads_agree(self) -> None:
        """Every read gives what the model holds."""
        asked = ["a", "b", "a:b", "ü", "", "never"]
        found = self.run(self.store.ttl_many(asked, collection=self.own))
        expected = [self.entries.get(key, (None, None)) for key in asked]
        assert [value for value, _ in expected] == [value for value, _ in found]
        assert [ttl is None for _, ttl in expected] == [left is None for _, left in found]
