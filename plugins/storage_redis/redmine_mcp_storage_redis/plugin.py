"""The plugin: it describes the store, and turns ``redis://host:port/0`` into an open one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from redmine_mcp_core import RecordStore, TokenStoreBackend, hookimpl
from redmine_mcp_storage_redis.address import SCHEMES, parse
from redmine_mcp_storage_redis.asking import Copies
from redmine_mcp_storage_redis.connecting import check_server, client_for
from redmine_mcp_storage_redis.store import RedisStore


@asynccontextmanager
async def _open(url: str) -> AsyncGenerator[RecordStore]:
    address = parse(url)
    options = address.options
    client, others = client_for(address)
    try:
        await check_server(client, address)
        store = RedisStore(
            client,
            address.where,
            calls=options["max_connections"],
            patience=options["timeout"],
            limit=options["socket_connect_timeout"] + options["socket_timeout"],
            copies=Copies(options["wait_replicas"], options["wait_ms"]),
        )
        await store.ping()
        yield store
    finally:
        for connected in (client, *others):
            await connected.aclose()


class _Plugin:
    api_version = 1

    @hookimpl
    def register_token_stores(self) -> Sequence[TokenStoreBackend]:
        return [TokenStoreBackend(name="redis", schemes=SCHEMES, open=_open)]


plugin = _Plugin()
