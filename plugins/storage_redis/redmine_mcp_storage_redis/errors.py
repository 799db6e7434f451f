"""Redis's errors as sentences that hold neither password nor name nor value."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from redmine_mcp_core import StoreUnavailable


class TooFewCopies(exceptions.RedisError):
    """A write is with the primary, and not with as many replicas as it has to be."""


_SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (TooFewCopies, "has not copied a write to as many replicas as wait_replicas asks for"),
    (exceptions.AuthenticationError, "refuses the user name or password"),
    (exceptions.NoPermissionError, "does not let this user do what a token store needs"),
    (exceptions.ReadOnlyError, "is a read-only replica; name the primary"),
    (exceptions.OutOfMemoryError, "is out of memory"),
    (exceptions.ClusterDownError, "is a cluster with too few nodes up"),
    (exceptions.TimeoutError, "did not answer in time"),
    (TimeoutError, "did not answer in time"),
    (
        MasterNotFoundError,
        "cannot be reached: no Sentinel has answered that knows a primary of this name; over TLS, "
        "it may be for a certificate",
    ),
    (exceptions.ConnectionError, "cannot be reached"),
    (exceptions.RedisClusterException, "is a cluster of which no node can be reached"),
    (OSError, "cannot be reached"),
)
"""The first class that fits; what Redis itself says may repeat the arguments of a command."""

_TLS = "does not speak TLS as it should: its certificate, its name or its protocol is refused"


@contextmanager
def speaking(where: str) -> Iterator[None]:
    """Turn redis-py's errors into the contract's."""
    try:
        yield
    except (exceptions.RedisError, exceptions.RedisClusterException, OSError) as error:
        if _is_tls(error):
            raise StoreUnavailable(f"Redis at {where} {_TLS}.") from error
        fitting = (sentence for kind, sentence in _SENTENCES if isinstance(error, kind))
        sentence = next(fitting, f"refused a command ({type(error).__name__})")
        raise StoreUnavailable(f"Redis at {where} {sentence}.") from error


def _is_tls(error: Exception) -> bool:
    # Of the nodes that redis-py has asked in vain, only what they said is left.
    return isinstance(error.__cause__ or error.__context__, ssl.SSLError) or "[SSL" in str(error)
