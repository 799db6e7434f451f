"""From an address to a client of redis-py, for one Redis, a Sentinel's primary or a cluster."""

from __future__ import annotations

from typing import Any

from redis.asyncio import ConnectionPool, Redis, RedisCluster, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    RedisClusterException,
    ResponseError,
)

from redmine_mcp_core import StoreError, StoreUnavailable
from redmine_mcp_storage_redis.address import Address
from redmine_mcp_storage_redis.errors import speaking

Client = Redis | RedisCluster

_OLDEST_REDIS = (6, 2)
"""The first one with GETDEL."""

_EXPECTED = {"": "standalone", "sentinel": "standalone", "cluster": "cluster"}
_SCHEMES = {"standalone": "", "sentinel": "+sentinel", "cluster": "+cluster"}


def client_for(address: Address) -> tuple[Client, list[Redis]]:
    """Return a client, not connected yet, and what else is to be closed with it."""
    options = {
        **{name: value for name, value in address.options.items() if _is_redis_py(name)},
        "username": address.username,
        "password": address.password,
        "socket_keepalive": True,
        # With 3, redis-py does not check a pooled connection before it uses it again.
        "protocol": 2,
    }
    if address.topology == "cluster":
        return _cluster(address, options), []
    if address.topology == "sentinel":
        return _behind_sentinel(address, options)
    ((host, port),) = address.hosts
    pool = ConnectionPool(
        connection_class=SSLConnection if address.tls else Connection,
        host=host,
        port=port,
        db=address.database,
        retry=_once(),
        **options,
    )
    return Redis.from_pool(pool), []


async def check_server(client: Client, address: Address) -> None:
    """Raise ``StoreError`` unless this is a Redis of the kind the URL says, and new enough."""
    try:
        with speaking(address.where):
            info = await _info(client)
    except StoreUnavailable as error:
        if isinstance(error.__cause__, AuthenticationError):
            raise StoreError(str(error)) from error
        if _is_no_cluster(error.__cause__):
            raise StoreError(
                f"Redis at {address.where} is no cluster (then write redis://), or this user may "
                "not ask for its nodes."
            ) from error
        if not isinstance(error.__cause__, NoPermissionError):
            raise
        return  # A user who may not ask: the first operation will tell.
    mode = str(info.get("redis_mode", "standalone"))
    if mode in _SCHEMES and mode != _EXPECTED[address.topology]:
        raise StoreError(
            f"Redis at {address.where} runs as {mode}; write its URL as redis{_SCHEMES[mode]}://."
        )
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_REDIS:
        raise StoreError(f"Redis at {address.where} is version {version}; 6.2 or newer is needed.")


def _cluster(address: Address, options: dict[str, Any]) -> RedisCluster:
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
        ssl=address.tls,
        retry=_once(),
        **options,
    )


def _behind_sentinel(address: Address, options: dict[str, Any]) -> tuple[Client, list[Redis]]:
    common: dict[str, Any] = {"ssl": address.tls, "retry": _once()}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts,
        sentinel_kwargs={
            **{name: value for name, value in options.items() if name.startswith("s")},
            **common,
            "username": address.options.get("sentinel_username"),
            "password": address.options.get("sentinel_password"),
            "protocol": options["protocol"],
        },
    )
    primary = sentinel.master_for(address.service, db=address.database, **common, **options)
    return primary, sentinel.sentinels


async def eviction(client: Client) -> str:
    """What Redis deletes when its memory is full; empty where this user may not ask."""
    try:
        return str((await _info(client, "memory")).get("maxmemory_policy", ""))
    except NoPermissionError:
        return ""


async def saves(client: Client) -> bool | None:
    """Whether Redis keeps on disk what it holds; None where it does not tell this user."""
    try:
        if (await _info(client, "persistence")).get("aof_enabled"):
            return True
        if isinstance(client, Redis):
            found = await client.config_get("save")
        else:
            found = await client.config_get("save", target_nodes=client.get_default_node())
    except ResponseError:  # Managed ones often know no CONFIG, or forbid it.
        return None
    return bool(found["save"]) if "save" in found else None


async def _info(client: Client, section: str = "server") -> dict[str, Any]:
    if isinstance(client, Redis):
        return dict(await client.info(section))
    await client.initialize()
    return dict(await client.info(section, target_nodes=client.get_default_node()))


def _is_no_cluster(error: BaseException | None) -> bool:
    return isinstance(error, RedisClusterException) and "Cluster mode is not enabled" in str(error)


def _is_redis_py(option: str) -> bool:
    # The others are for the store, and for Sentinel itself.
    return option != "timeout" and not option.startswith(("sentinel_", "wait_"))


def _once() -> Retry:
    return Retry(NoBackoff(), 0)
