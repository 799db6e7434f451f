"""The token store as operators see it: each operation counted and timed, whatever the backend."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

from redmine_mcp_core.observability.metrics import Metrics
from redmine_mcp_core.storage import StoreError, TokenStore

OPERATIONS = (
    "get",
    "ttl",
    "put",
    "delete",
    "get_many",
    "ttl_many",
    "put_many",
    "delete_many",
    "pop",
    "set_if_absent",
    "acquire_lock",
    "release_lock",
    "increment",
    "purge_expired",
    "ping",
)

_Operation = Callable[..., Awaitable[Any]]


class _ObservedStore:
    """Stands outside of the encryption, so that what it counts is what callers wait for."""

    def __init__(self, store: TokenStore, metrics: Metrics) -> None:
        self._store = store
        for name in OPERATIONS:
            setattr(self, name, _observed(name, getattr(store, name), metrics))

    lock = TokenStore.lock  # by the operations above, so that waiting for a lock shows as such

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def observed_store(store: TokenStore, metrics: Metrics) -> TokenStore:
    """The same store, with its operations counted."""
    return cast("TokenStore", _ObservedStore(store, metrics))


def _observed(name: str, operation: _Operation, metrics: Metrics) -> _Operation:
    @wraps(operation)
    async def observed(*args: Any, **kwargs: Any) -> Any:
        outcome, started = "ok", time.perf_counter()
        try:
            return await operation(*args, **kwargs)
        except StoreError:
            outcome = "unavailable"
            raise
        except Exception:
            outcome = "error"
            raise
        finally:
            metrics.inc("store_operations", name, outcome)
            metrics.observe("store_operation_seconds", time.perf_counter() - started, name)

    return observed
