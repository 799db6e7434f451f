"""A server of 2026-07-28, shown to a client that opens with ``initialize``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import Any

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.eras import PREFIX, discovered
from redmine_mcp_core.connect.messages import Message
from redmine_mcp_core.connect.remote import Remote

_MOST_ROUNDS = 20


class HandshakeFace:
    """A server of 2026-07-28, as a client sees it that opens with ``initialize``."""

    def __init__(self, remote: Remote, opening: Message) -> None:
        params = rpc.params_of(opening)
        self.envelope: dict[str, Any] = {
            rpc.VERSION_KEY: rpc.MODERN,
            rpc.CLIENT_KEY: params.get("clientInfo") or {"name": PREFIX, "version": "1"},
            rpc.CAPABILITIES_KEY: params.get("capabilities") or {},
        }
        self._remote = remote
        self._asked: dict[object, asyncio.Future[Message]] = {}
        self._ids = count(1)
        self._resources: set[str] = set()
        self._resources_changed = asyncio.Event()
        self._capabilities: dict[str, Any] = {}

    async def post(self, message: Message) -> AsyncGenerator[Message]:
        if rpc.is_answer(message):
            if future := self._asked.pop(message["id"], None):
                future.set_result(message)
            return
        if not rpc.is_request(message):
            return
        request_id, params = message["id"], rpc.params_of(message)
        match message["method"]:
            case "initialize":
                yield await self._initialize(message)
            case "ping":
                yield rpc.result(request_id, {})
            case "logging/setLevel":
                self.envelope[rpc.LOG_LEVEL_KEY] = params.get("level")
                yield rpc.result(request_id, {})
            case "resources/subscribe" | "resources/unsubscribe":
                uris = {str(params.get("uri"))}
                subscribed = message["method"] == "resources/subscribe"
                self._resources = self._resources | uris if subscribed else self._resources - uris
                self._resources_changed.set()
                yield rpc.result(request_id, {})
            case _:
                async with aclosing(self._converse(message)) as replies:
                    async for reply in replies:
                        yield reply

    async def listen(self) -> AsyncGenerator[Message]:
        """Subscribe to all changes that the server offers to tell."""
        offers = {
            key: True
            for key in rpc.CHANGES
            if (self._capabilities.get(key.removesuffix("ListChanged")) or {}).get("listChanged")
        }
        while True:
            self._resources_changed.clear()
            wanted = offers | (
                {"resourceSubscriptions": sorted(self._resources)} if self._resources else {}
            )
            if not wanted:
                await self._resources_changed.wait()
                continue
            queue: asyncio.Queue[Message | None] = asyncio.Queue()
            pump = asyncio.create_task(self._pump(wanted, queue))
            changed = asyncio.create_task(self._resources_changed.wait())
            changed.add_done_callback(partial(_put_end, queue))
            try:
                while (said := await queue.get()) is not None:
                    yield said
                if not changed.done():
                    return
            finally:
                pump.cancel()
                changed.cancel()

    async def close(self) -> None:
        await self._remote.close()

    async def _pump(self, wanted: dict[str, Any], queue: asyncio.Queue[Message | None]) -> None:
        listening = rpc.request(
            f"{PREFIX}-listen-{next(self._ids)}",
            "subscriptions/listen",
            {"notifications": wanted, "_meta": self.envelope},
        )
        async with aclosing(self._remote.post(listening)) as replies:
            async for reply in replies:
                acknowledged = "notifications/subscriptions/acknowledged"
                if not rpc.is_answer(reply) and reply.get("method") != acknowledged:
                    queue.put_nowait(reply)
        queue.put_nowait(None)

    async def _initialize(self, message: Message) -> Message:
        found = await discovered(self._remote, self.envelope)
        if found is None:
            return rpc.error(message["id"], "The server speaks no version of MCP that we know.")
        self._capabilities = found.get("capabilities") or {}
        server = (found.get("_meta") or {}).get(rpc.SERVER_KEY)
        asked = rpc.params_of(message).get("protocolVersion")
        answer = {
            "protocolVersion": asked if asked in rpc.HANDSHAKE else rpc.NEWEST_HANDSHAKE,
            "capabilities": self._capabilities,
            "serverInfo": server or {"name": "unknown", "version": "unknown"},
            "instructions": found.get("instructions"),
        }
        return rpc.result(message["id"], {k: v for k, v in answer.items() if v is not None})

    async def _converse(self, message: Message) -> AsyncGenerator[Message]:
        """A request, sent again each time with what the server wanted to know."""
        params = rpc.params_of(message)
        params = {**params, "_meta": {**rpc.meta_of(message), **self.envelope}}
        for _ in range(_MOST_ROUNDS):
            wanted: dict[str, Any] | None = None
            async with aclosing(self._remote.post({**message, "params": params})) as replies:
                async for reply in replies:
                    result = reply.get("result")
                    asks = isinstance(result, dict) and result.get("resultType") == "input_required"
                    if not asks:
                        yield reply
                        continue
                    wanted = result
            if wanted is None:
                return
            inputs: dict[str, Any] = {}
            for key, asked in (wanted.get("inputRequests") or {}).items():
                asking_id = f"{PREFIX}-{next(self._ids)}"
                future = self._asked[asking_id] = asyncio.get_running_loop().create_future()
                try:
                    yield {"jsonrpc": "2.0", "id": asking_id, **asked}
                    answer = await future
                finally:
                    self._asked.pop(asking_id, None)
                if "error" in answer:
                    yield {**answer, "id": message["id"]}
                    return
                inputs[key] = answer.get("result")
            params = {
                k: v for k, v in params.items() if k not in {"inputResponses", "requestState"}
            }
            params |= {"inputResponses": inputs} if inputs else {}
            if "requestState" in wanted:
                params["requestState"] = wanted["requestState"]
        yield rpc.error(message["id"], "The server kept asking for more.")


def _put_end(queue: asyncio.Queue[Message | None], _: object) -> None:
    queue.put_nowait(None)
