"""Between a client on stdio and a server on HTTP: each message finds its way, and its way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.eras import speaks_modern
from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.handshake_face import HandshakeFace
from redmine_mcp_core.connect.messages import Message
from redmine_mcp_core.connect.modern_face import ModernFace
from redmine_mcp_core.connect.remote import Remote, Server
from redmine_mcp_core.connect.tools import Tools
from redmine_mcp_core.observability.logs import log

DRAIN_SECONDS = 5.0
"""How long answers under way may still come once the client has closed its end."""


class Bridge:
    """Passes messages on, untouched where client and server speak the same era."""

    def __init__(self, remote: Remote, tools: Tools, write: Callable[[Message], None]) -> None:
        self._remote = remote
        self._server: Server = remote
        self._tools = tools
        self._write = write
        self._requests: dict[object, tuple[Message, asyncio.Task[None]]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._last_sent: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._era_is_settled = False
        self._settling = asyncio.Lock()

    async def run(self, incoming: AsyncIterator[Message]) -> None:
        """Pass on what comes in until there is no more; then wait a little for the answers."""
        try:
            async for message in incoming:
                self._take(message)
            if pending := self._tasks(but="subscriptions/listen"):
                await asyncio.wait(pending, timeout=DRAIN_SECONDS)
        finally:
            await self._end()

    def _take(self, message: Message) -> None:
        if rpc.is_request(message):
            task = asyncio.create_task(self._answer(message, self._last_sent))
            self._requests[message["id"]] = message, task
            task.add_done_callback(partial(self._forget, message["id"]))
            return
        # In the order they came in; requests wait for those before them, say `initialized`.
        task = asyncio.create_task(self._pass_on(message, self._last_sent))
        self._last_sent = task
        self._others.add(task)
        task.add_done_callback(self._others.discard)

    def _forget(self, request_id: object, task: asyncio.Task[None]) -> None:
        if self._requests.get(request_id, (None, None))[1] is task:
            del self._requests[request_id]
        if not task.cancelled():
            task.exception()  # It was logged where it happened.

    async def _answer(self, request: Message, before: asyncio.Task[None] | None) -> None:
        if before:
            await asyncio.wait([before])
        if (name := self._tools.refused_in(request)) is not None:
            text = f"The tool {name} is not let through here (--allow-tool, --ignore-tool)."
            self._write(rpc.error(request["id"], text, rpc.INVALID_PARAMS))
            return
        try:
            await self._settle_era(request)
            await self._relay(request)
        except ConnectError as error:
            self._write(rpc.error(request["id"], str(error), rpc.CONNECTION_CLOSED))
        except Exception:
            # A client must not wait for ever for an answer that a bug of ours has swallowed.
            self._write(rpc.error(request["id"], "The bridge failed; its log says why."))
            log.exception("bridge failed", method=request["method"])
            raise

    async def _relay(self, request: Message) -> None:
        async with aclosing(self._server.post(request)) as replies:
            async for reply in replies:
                if await self._takes_another_era(request, reply):
                    break
                self._write(self._filtered(request, reply))
            else:
                return
        await self._relay(request)

    def _filtered(self, request: Message, reply: Message) -> Message:
        is_list = request["method"] == "tools/list" and isinstance(reply.get("result"), dict)
        return {**reply, "result": self._tools.learn(reply["result"])} if is_list else reply

    async def _pass_on(self, message: Message, before: asyncio.Task[None] | None) -> None:
        if before:
            await asyncio.wait([before])
        if message.get("method") == "notifications/cancelled":
            await self._cancel(message)
            return
        if self._tools.refused_in(message) is not None:
            return  # a call that wants no answer
        async with aclosing(self._server.post(message)) as replies:
            async for reply in replies:
                self._write(reply)
        if message.get("method") == "notifications/initialized" and not self._listening:
            self._listening = asyncio.create_task(self._listen())

    async def _cancel(self, message: Message) -> None:
        """Stop waiting for an answer, and tell the server so in the way of its era."""
        request_id = rpc.params_of(message).get("requestId")
        if not isinstance(request_id, str | int) or request_id not in self._requests:
            return
        request, task = self._requests[request_id]
        # Since 2026-07-28 it is enough to close the answer.
        if self._server is not self._remote or rpc.version_in(request) is None:
            async with aclosing(self._server.post(message)) as replies:
                async for reply in replies:
                    self._write(reply)
        task.cancel()

    async def _listen(self) -> None:
        async with aclosing(self._server.listen()) as said:
            async for message in said:
                self._write(message)

    async def _settle_era(self, request: Message) -> None:
        """Find out whether the server speaks a client's era that asks without a handshake.

        A client that probes with ``server/discover`` gets the server's own answer, and goes back to
        the handshake by itself.
        """
        if rpc.version_in(request) is None or request["method"] == "server/discover":
            return
        async with self._settling:
            if self._era_is_settled:
                return
            if not await speaks_modern(self._remote, rpc.meta_of(request)):
                self._server = ModernFace(self._remote)
            self._era_is_settled = True

    async def _takes_another_era(self, request: Message, reply: Message) -> bool:
        """Whether the server turned a handshake down because it knows none any more."""
        if request["method"] == "server/discover":
            versions = (reply.get("result") or {}).get("supportedVersions") or ()
            self._era_is_settled |= rpc.MODERN in versions
        if request["method"] != "initialize" or self._server is not self._remote:
            return False
        code = (reply.get("error") or {}).get("code", rpc.CONNECTION_CLOSED)
        if code == rpc.CONNECTION_CLOSED:
            return False
        face = HandshakeFace(self._remote, request)
        if not await speaks_modern(self._remote, face.envelope):
            return False
        self._server = face
        return True

    def _tasks(self, *, but: str = "") -> list[asyncio.Task[None]]:
        requests = self._requests.values()
        return [*(task for sent, task in requests if sent["method"] != but), *self._others]

    async def _end(self) -> None:
        tasks = self._tasks() + ([self._listening] if self._listening else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.close()
