"""Encryption round Redis, down to the bytes of the file that Redis writes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from redmine_mcp_storage_redis import plugin

from redmine_mcp_core.storage import EncryptedStore, open_store

BINARY = shutil.which("redis-server")
CANARIES = ["canary-token", "canary-login", "canary-client", "https://canary.example.com"]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A Redis that writes what it holds as it is."""
    if BINARY is None:
        pytest.skip("NOT TESTED: there is no redis-server here (Debian: apt install redis-server)")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [BINARY, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(tmp_path)]
    command += ["--save", "", "--rdbcompression", "no"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()


async def test_a_dump_gives_nothing_away(port: int, tmp_path: Path) -> None:
    """In the RDB file stands no token, login, client name or URL: not as value, not as name."""
    with Redis(port=port, retry=Retry(ConstantBackoff(0.02), 200)) as client:
        client.ping()
        url = f"redis://127.0.0.1:{port}/0"
        async with open_store(url, plugin.register_token_stores()) as plain:
            store = EncryptedStore(plain, [os.urandom(32)], name_key=os.urandom(32))
            for number, canary in enumerate(CANARIES):
                await store.put(canary, {canary: [canary]}, collection=canary, ttl=60)
                await store.set_if_absent(f"{number}", {"value": canary})
                await store.increment(canary, window=60)
                await store.acquire_lock(canary, "owner", ttl=60)
            client.save()
    dump = (tmp_path / "dump.rdb").read_bytes()

    assert dump.count(b"sealed") == 2 * len(CANARIES)
    assert b"canary" not in dump
