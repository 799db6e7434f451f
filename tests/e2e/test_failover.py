"""Redis fails over to its replica while a refresh is under way: what becomes of the sign-in."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest
from redmine_mcp_sandbox import Sandbox
from starlette.types import Receive, Scope, Send

from redmine_mcp_core.auth import refresh as refreshing
from tests.support.servers import Target, free_port, running_server, serving
from tests.support.sign_in import refresh, sign_in, tokens_from
from tests.support.signed_in import ping

REDIS_SERVERS = Path(__file__).parents[2] / "plugins/storage_redis/tests/conftest.py"


def replicated_redis(folder: Path) -> Any:
    """A primary, a replica and a Sentinel, as the Redis plugin's own tests start them."""
    spec = importlib.util.spec_from_file_location("redis_servers", REDIS_SERVERS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Replicated(folder)


class Gate:
    """A Redmine whose next answer about a token waits until it is let through."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._app = sandbox.app
        self.armed = False
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.armed and scope.get("path") == "/oauth/token":
            self.armed = False
            self.reached.set()
            await self.open.wait()
        await self._app(scope, receive, send)


@pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not here")
async def test_a_failover_in_the_middle_of_a_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refresh under way may fail as unavailable; repeated, it succeeds."""
    monkeypatch.setattr(refreshing, "LOCK_SECONDS", 3.0)
    port = free_port()
    sandbox = Sandbox(base_url=f"http://127.0.0.1:{port}")
    gate = Gate(sandbox)
    target = Target(sandbox.base_url, sandbox.client_id, sandbox.client_secret, sandbox)
    redis = await asyncio.to_thread(replicated_redis, tmp_path)
    try:
        async with (
            serving(gate, port),
            running_server(target, token_store_url=redis.url) as server,
        ):
            tokens = await sign_in(server.url)
            await asyncio.to_thread(redis.replicated)
            gate.armed = True
            under_way = asyncio.create_task(refresh(server.url, tokens))
            await gate.reached.wait()
            redis.primary.kill()
            gate.open.set()
            first = await under_way
            async with asyncio.timeout(30):
                while (answer := await refresh(server.url, tokens)).status_code != 200:
                    assert answer.status_code == 503, answer.text
            renewed = tokens_from(answer, tokens.client_id)

            assert first.status_code in {200, 503}
            assert (await ping(server, renewed.access)).status_code == 200
    finally:
        await asyncio.to_thread(redis.stop)
