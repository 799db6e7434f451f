"""A server of the handshake era, shown to a client of 2026-07-28."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from itertools import count
from typing import Any

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.eras import PREFIX, ask
from redmine_mcp_core.connect.messages import Message
from redmine_mcp_core.connect.remote import Remote

_LISTS = frozenset(
    """
    tools/list prompts/list resources/list resources/templates/list resources/read server/discover
    """.split()
)
"""Results that say how long they may be kept (2026-07-28, Caching)."""
_ASKED_OF_THE_CLIENT = frozenset({"elicitation/create", "sampling/createMessage", "roots/list"})


class ModernFace:
    """A server of the handshake era, as a client of 2026-07-28 sees it."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._opened: dict[str, Any] | None = None
        self._opening = asyncio.Lock()
        self._parked: dict[str, _Conversation] = {}
        self._numbers = count(1)
        self._subscriptions: dict[Any, tuple[dict[str, Any], asyncio.Queue[Message]]] = {}
        self._listening: asyncio.Task[None] | None = None

    async def post(self, message: Message) -> AsyncGenerator[Message]:
        if not rpc.is_request(message):
            if message.get("method") == "notifications/cancelled":
                async with aclosing(self._remote.post(message)) as replies:
                    async for reply in replies:
                        yield reply
            return
        refusal = await self._open(rpc.meta_of(message))
        if refusal:
            yield {**refusal, "id": message["id"]}
            return
        if message["method"] == "server/discover":
            yield rpc.result(message["id"], self._completed("server/discover", self._described()))
        elif message["method"] == "subscriptions/listen":
            async with aclosing(self._subscription(message)) as said:
                async for each in said:
                    yield each
        else:
            async with aclosing(self._converse(message)) as replies:
                async for reply in replies:
                    yield reply

    async def listen(self) -> AsyncGenerator[Message]:
        """Nothing: in this era a client subscribes to what it wants to hear."""
        return
        yield {}

    async def close(self) -> None:
        for conversation in self._parked.values():
            conversation.cancel()
        if self._listening:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        await self._remote.close()

    async def _open(self, envelope: dict[str, Any]) -> Message | None:
        """Shake hands once, as the client that asks; what the server answers if it refuses."""
        async with self._opening:
            if self._opened is not None:
                return None
            opening = rpc.request(
                f"{PREFIX}-initialize",
                "initialize",
                {
                    "protocolVersion": rpc.NEWEST_HANDSHAKE,
                    "clientInfo": envelope.get(rpc.CLIENT_KEY) or {"name": PREFIX, "version": "1"},
                    "capabilities": envelope.get(rpc.CAPABILITIES_KEY) or {},
                },
            )
            answer = await ask(self._remote, opening)
            if "result" not in answer:
                return answer
            self._opened = answer["result"]
            await ask(self._remote, rpc.notification("notifications/initialized"))
            self._listening = asyncio.create_task(self._listen())
            return None

    def _described(self) -> dict[str, Any]:
        opened = self._opened or {}
        described = {
            "supportedVersions": [rpc.MODERN],
            "capabilities": opened.get("capabilities") or {},
            "instructions": opened.get("instructions"),
            "_meta": {rpc.SERVER_KEY: opened.get("serverInfo")},
        }
        return {key: value for key, value in described.items() if value is not None}

    def _completed(self, method: str, value: dict[str, Any]) -> dict[str, Any]:
        kept = {"ttlMs": 0, "cacheScope": "private"} if method in _LISTS else {}
        return {"resultType": "complete", **kept, **value}

    async def _converse(self, message: Message) -> AsyncGenerator[Message]:
        params = rpc.params_of(message)
        state = params.get("requestState")
        if state is not None:
            conversation = self._parked.pop(str(state), None)
            if conversation is None:
                yield rpc.error(message["id"], "Nothing waits for this answer.", rpc.INVALID_PARAMS)
                return
            for key, answer in (params.get("inputResponses") or {}).items():
                await ask(self._remote, rpc.result(conversation.asked[key], answer))
        else:
            conversation = _Conversation(self._remote, _without_envelope(message))
        async with aclosing(self._relayed(message, conversation)) as replies:
            async for reply in replies:
                yield reply

    async def _relayed(
        self, message: Message, conversation: _Conversation
    ) -> AsyncGenerator[Message]:
        parked = False
        try:
            while (reply := await conversation.next()) is not None:
                if rpc.is_answer(reply):
                    reply = {**reply, "id": message["id"]}
                    if isinstance(reply.get("result"), dict):
                        reply["result"] = self._completed(message["method"], reply["result"])
                    yield reply
                elif not rpc.is_request(reply):
                    yield reply
                elif reply["method"] in _ASKED_OF_THE_CLIENT:
                    yield rpc.result(message["id"], self._park(conversation, reply))
                    parked = True
                    return
                else:
                    await ask(self._remote, _answer_ourselves(reply))
        finally:
            if not parked:
                conversation.cancel()

    def _park(self, conversation: _Conversation, asked: Message) -> dict[str, Any]:
        """Keep an answer open until the client comes back with what the server asked for."""
        state = f"{PREFIX}-{next(self._numbers)}"
        conversation.asked = {"input": asked["id"]}
        self._parked[state] = conversation
        question = {"method": asked["method"], "params": rpc.params_of(asked)}
        return {
            "resultType": "input_required",
            "inputRequests": {"input": question},
            "requestState": state,
        }

    async def _subscription(self, message: Message) -> AsyncGenerator[Message]:
        """Hand on the changes that a client has asked for, under the number of its request."""
        wanted = rpc.params_of(message).get("notifications") or {}
        meta = {rpc.SUBSCRIPTION_KEY: message["id"]}
        queue: asyncio.Queue[Message] = asyncio.Queue()
        self._subscriptions[message["id"]] = wanted, queue
        try:
            for uri in wanted.get("resourceSubscriptions") or ():
                number = f"{PREFIX}-{next(self._numbers)}"
                await ask(self._remote, rpc.request(number, "resources/subscribe", {"uri": uri}))
            yield rpc.notification(
                "notifications/subscriptions/acknowledged",
                {"notifications": wanted, "_meta": meta},
            )
            while True:
                change = await queue.get()
                params = {**rpc.params_of(change), "_meta": {**rpc.meta_of(change), **meta}}
                yield {**change, "params": params}
        finally:
            del self._subscriptions[message["id"]]

    async def _listen(self) -> None:
        async with aclosing(self._remote.listen()) as said:
            async for message in said:
                if rpc.is_request(message):
                    await ask(self._remote, _answer_ourselves(message))
                    continue
                for wanted, queue in self._subscriptions.values():
                    kinds = {method for key, method in rpc.CHANGES.items() if wanted.get(key)}
                    if wanted.get("resourceSubscriptions"):
                        kinds.add("notifications/resources/updated")
                    if message.get("method") in kinds:
                        queue.put_nowait(message)


class _Conversation:
    """A request and what comes back to it, whoever reads it at the moment."""

    def __init__(self, remote: Remote, message: Message) -> None:
        self.asked: dict[str, Any] = {}
        self._replies: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(remote, message))

    async def next(self) -> Message | None:
        return await self._replies.get()

    def cancel(self) -> None:
        self._task.cancel()

    async def _run(self, remote: Remote, message: Message) -> None:
        async with aclosing(remote.post(message)) as replies:
            async for reply in replies:
                self._replies.put_nowait(reply)
        self._replies.put_nowait(None)


def _without_envelope(message: Message) -> Message:
    meta = {
        key: value
        for key, value in rpc.meta_of(message).items()
        if key not in {rpc.VERSION_KEY, rpc.CLIENT_KEY, rpc.CAPABILITIES_KEY, rpc.LOG_LEVEL_KEY}
    }
    params = {key: value for key, value in rpc.params_of(message).items() if key != "_meta"}
    return {**message, "params": {**params, "_meta": meta} if meta else params}


def _answer_ourselves(asked: Message) -> Message:
    """What a client of 2026-07-28 cannot be asked outside of a request of its own."""
    if asked["method"] == "ping":
        return rpc.result(asked["id"], {})
    return rpc.error(asked["id"], "This client cannot be asked that.", rpc.METHOD_NOT_FOUND)
