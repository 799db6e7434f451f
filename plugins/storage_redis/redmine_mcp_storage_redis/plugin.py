"""The plugin: it describes the store, and turns ``redis://host:port/0`` into an open one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError

from redmine_mcp_core import StoreError, StoreUnavailable, TokenStore, TokenStoreBackend, hookimpl
from redmine_mcp_storage_redis.errors import speaking
from redmine_mcp_storage_redis.store import RedisStore

_OPTIONS = frozenset(
    {
        "db",
        "health_check_interval",
        "max_connections",
        "socket_connect_timeout",
        "socket_timeout",
        "timeout",
    }
)
_TLS_OPTIONS = frozenset(
    {
        "ssl_ca_certs",
        "ssl_ca_path",
        "ssl_cert_reqs",
        "ssl_certfile",
        "ssl_check_hostname",
        "ssl_keyfile",
    }
)
OPTIONS = {"redis": _OPTIONS, "rediss": _OPTIONS | _TLS_OPTIONS}
"""What may stand after the ``?`` of a URL, by its scheme; redis-py says what each one means."""

DEFAULTS = {
    "max_connections": 32,
    "timeout": 5.0,  # seconds to wait for one of them
    "socket_connect_timeout": 3.0,
    "socket_timeout": 5.0,
    "socket_keepalive": True,
    "protocol": 2,  # with 3, redis-py does not check a pooled connection before it uses it again
}

_OLDEST_REDIS = (6, 2)
"""The first one with GETDEL."""

_LATER = {
    "sentinel": "is a Sentinel, which is not supported yet; name the Redis primary itself",
    "cluster": "is part of a Redis Cluster, which is not supported yet; name a single Redis",
}


def connect(url: str) -> tuple[Redis, str]:
    """Return a client, not connected yet, and its ``host:port`` for people to read.

    Raises ``StoreError`` for a URL that cannot be used. It repeats no part of it: where a
    password with a ``/`` or ``?`` that nobody encoded ends, one cannot know.
    """
    try:
        parts = urlsplit(url)
        where = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        raise StoreError(
            "The Redis URL cannot be read; write redis://user:password@host:6379/0, with "
            "characters such as / ? # @ in the password percent-encoded."
        ) from None
    if "," in parts.netloc.rpartition("@")[2]:
        raise StoreError(
            "The Redis URL names several hosts; Sentinel and Cluster are not supported yet."
        )
    database = parts.path.strip("/")
    if parts.fragment or (database and not database.isdecimal()):
        raise StoreError("What follows the host in the Redis URL must be a database's number.")
    known = OPTIONS[parts.scheme]
    if not parse_qs(parts.query, keep_blank_values=True).keys() <= known:
        raise StoreError(
            f"The Redis URL has an option that is not known for {parts.scheme}: "
            f"possible are {', '.join(sorted(known))}."
        )
    try:
        pool = BlockingConnectionPool.from_url(url, **DEFAULTS, retry=Retry(NoBackoff(), 0))
    except (TypeError, ValueError):
        raise StoreError("An option of the Redis URL has a value that cannot be used.") from None
    return Redis.from_pool(pool), where


async def check_server(client: Redis, where: str) -> None:
    """Raise ``StoreError`` unless this is one Redis, new enough, that takes our writes."""
    try:
        with speaking(where):
            info = await client.info("server")
    except StoreUnavailable as error:
        if isinstance(error.__cause__, AuthenticationError):
            raise StoreError(str(error)) from error
        if not isinstance(error.__cause__, NoPermissionError):
            raise
        return  # A user who may not ask: the first operation will tell.
    if later := _LATER.get(str(info.get("redis_mode"))):
        raise StoreError(f"Redis at {where} {later}.")
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_REDIS:
        raise StoreError(f"Redis at {where} is version {version}; 6.2 or newer is needed.")


@asynccontextmanager
async def _open(url: str) -> AsyncGenerator[TokenStore]:
    client, where = connect(url)
    try:
        store = RedisStore(client, where)
        await check_server(client, where)
        await store.ping()
        yield store
    finally:
        await client.aclose()


class _Plugin:
    api_version = 1

    @hookimpl
    def register_token_stores(self) -> Sequence[TokenStoreBackend]:
        return [TokenStoreBackend(name="redis", schemes=tuple(OPTIONS), open=_open)]


plugin = _Plugin()
