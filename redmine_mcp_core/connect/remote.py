"""The server's side of the bridge: MCP over Streamable HTTP, in both protocol eras.

Written on plain HTTP and not on the SDK's transport, which ends as a whole when one request fails:
a bridge outlives a server that restarts (ADR 9).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol

import httpx2

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.http import ATTEMPTS, BUSY, seconds_to_wait, send
from redmine_mcp_core.connect.messages import Message
from redmine_mcp_core.connect.tools import Tools
from redmine_mcp_core.observability.logs import log

_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""What a request is about, for the ``Mcp-Name`` header (2026-07-28, Standard headers)."""

_HEADER_MISMATCH = -32020
_EVENT_BYTES = 64 * 1024 * 1024
_BETWEEN_STREAMS = 1.0
_LONGEST_BETWEEN_STREAMS = 30.0


class Server(Protocol):
    """A server as a client of one era sees it."""

    def post(self, message: Message) -> AsyncGenerator[Message]:
        """Send a message; everything that comes back to it. A request always gets an answer."""
        ...

    def listen(self) -> AsyncGenerator[Message]:
        """What the server says of its own accord, until it has nothing to say any more."""
        ...

    async def close(self) -> None:
        """Tell the server that nobody comes back."""
        ...


class Remote:
    """A server as it is: messages go there and back untouched."""

    def __init__(self, http: httpx2.AsyncClient, url: str, tools: Tools) -> None:
        self._http = http
        self._url = url
        self._tools = tools
        self._session: str | None = None
        self._version: str | None = None
        self._opening: Message | None = None
        self._reopening = asyncio.Lock()
        self._reopened = asyncio.Event()

    async def post(self, message: Message) -> AsyncGenerator[Message]:
        """Send a message; what goes wrong on the way is the answer to a request."""
        problem = "The server answered without an answer."
        try:
            async with aclosing(self._converse(message)) as replies:
                async for reply in replies:
                    is_answer = rpc.is_answer(reply)
                    if is_answer and not rpc.is_request(message):
                        log.warning("message refused", problem=reply.get("error"))
                        return
                    yield reply
                    if is_answer and reply["id"] == message["id"]:
                        return
        except ConnectError as error:
            problem = str(error)
        except httpx2.TransportError as error:
            problem = f"{self._host} cannot be reached: {error or type(error).__name__}."
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            problem = f"{self._host} answered something unreadable: {error}."
        else:
            if not rpc.is_request(message):
                return
        # Nobody is told what became of a notification, and so the log is.
        note = log.info if rpc.is_request(message) else log.warning
        note("message failed", method=message.get("method"), problem=problem)
        if rpc.is_request(message):
            yield rpc.error(message["id"], problem, rpc.CONNECTION_CLOSED)

    async def listen(self) -> AsyncGenerator[Message]:
        """The stream that a server of the handshake era may offer; many do not."""
        last_event: str | None = None
        pause = _BETWEEN_STREAMS
        while True:
            session = self._session
            try:
                async with self._get(last_event) as response:
                    if response.status_code == 404 and session and session == self._session:
                        self._reopened.clear()
                        await self._reopened.wait()
                        last_event = None
                        continue
                    if response.status_code in BUSY:
                        raise httpx2.ReadError(f"HTTP {response.status_code}")
                    if response.status_code != 200 or not _is_stream(response):
                        return
                    async for event in httpx2.EventSource(response, _EVENT_BYTES):
                        last_event, pause = event.id or last_event, _BETWEEN_STREAMS
                        for reply in _messages_in(event):
                            yield reply
            except ConnectError:
                return
            except (httpx2.TransportError, httpx2.SSEError) as error:
                log.debug("stream ended", problem=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_BETWEEN_STREAMS)

    async def close(self) -> None:
        if self._session is None:
            return
        request = self._http.build_request("DELETE", self._url, headers=self._headers())
        try:
            async with asyncio.timeout(2):
                await send(self._http, request)
        except (ConnectError, httpx2.HTTPError, TimeoutError) as error:
            log.debug("session not closed", problem=str(error))

    @property
    def _host(self) -> str:
        return httpx2.URL(self._url).netloc.decode()

    async def _converse(self, message: Message) -> AsyncGenerator[Message]:
        if message.get("method") == "initialize":
            self._opening, self._session, self._version = message, None, None
        session = self._session
        async with aclosing(self._attempt(message)) as replies:
            async for reply in replies:
                lost = reply is _SESSION_LOST
                if not lost and not self._wants_headers(message, reply):
                    yield reply
                    continue
                break
            else:
                return
        # The server has not looked at the message: it may be sent again, whatever it does.
        if lost:
            await self._reopen(session)
        else:
            await self._learn_tools(message)
        async with aclosing(self._attempt(message)) as replies:
            async for reply in replies:
                if reply is not _SESSION_LOST:
                    yield reply

    async def _attempt(self, message: Message) -> AsyncGenerator[Message]:
        async with self._posted(message) as response:
            if response.status_code >= 300:
                await response.aread()
                yield self._refusal(message, response)
                return
            if message.get("method") == "initialize":
                self._session = response.headers.get("mcp-session-id")
            if not rpc.is_request(message):
                return
            if _is_stream(response):
                async with aclosing(self._stream(response, message["id"])) as replies:
                    async for reply in replies:
                        yield self._noted(message, reply)
                return
            for reply in _messages(await response.aread()):
                yield self._noted(message, reply)

    def _noted(self, message: Message, reply: Message) -> Message:
        """Remember the version that a handshake has agreed on."""
        if message["method"] == "initialize" and isinstance(reply.get("result"), dict):
            self._version = reply["result"].get("protocolVersion")
        return reply

    @asynccontextmanager
    async def _posted(self, message: Message) -> AsyncIterator[httpx2.Response]:
        """The answer to a POST, repeated while the server is busy and if that does no harm."""
        body = json.dumps(message, separators=(",", ":")).encode()
        attempts = ATTEMPTS if self._tools.may_repeat(message) else 1
        for attempt in range(1, ATTEMPTS + 1):
            request = self._http.build_request(
                "POST", self._url, content=body, headers=self._headers(message)
            )
            try:
                response = await send(self._http, request, stream=True)
            except httpx2.TransportError as error:
                # Where no connection came about, nothing has been sent.
                again = attempt < attempts or isinstance(error, httpx2.ConnectError)
                again = again and not _is_distrust(error)
                wait = seconds_to_wait(None, attempt) if again else None
                if wait is None:
                    raise
            else:
                busy = response.status_code in BUSY and attempt < attempts
                wait = seconds_to_wait(response, attempt) if busy else None
                if wait is None:
                    break
                await response.aclose()
            log.info("asking again", method=message.get("method"), seconds=round(wait, 2))
            await asyncio.sleep(wait)
        try:
            yield response
        finally:
            await response.aclose()

    def _get(self, last_event: str | None) -> AbstractAsyncContextManager[httpx2.Response]:
        headers = self._headers() | {"Accept": "text/event-stream"}
        if last_event:
            headers["Last-Event-ID"] = last_event
        return self._http.stream("GET", self._url, headers=headers)

    async def _stream(self, response: httpx2.Response, request_id: Any) -> AsyncGenerator[Message]:
        """The events of an answer; where the stream breaks, it is taken up again if it can be."""
        last_event: str | None = None
        pause = _BETWEEN_STREAMS
        for _ in range(ATTEMPTS):
            try:
                async for event in httpx2.EventSource(response, _EVENT_BYTES):
                    last_event = event.id or last_event
                    pause = pause if event.retry is None else event.retry / 1000
                    for reply in _messages_in(event):
                        yield reply
                        if rpc.is_answer(reply) and reply["id"] == request_id:
                            return
            except (httpx2.TransportError, httpx2.SSEError) as error:
                log.debug("stream broke", problem=str(error))
            if last_event is None:
                raise ConnectError(f"{self._host} broke off before it had answered.")
            await response.aclose()
            await asyncio.sleep(pause)
            request = self._http.build_request(
                "GET",
                self._url,
                headers=self._headers()
                | {"Accept": "text/event-stream", "Last-Event-ID": last_event},
            )
            response = await send(self._http, request, stream=True)
        raise ConnectError(f"{self._host} broke off again and again.")

    def _headers(self, message: Message | None = None) -> dict[str, str]:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        message = message or {}
        modern = rpc.version_in(message)
        if modern is not None:
            method = str(message["method"])
            headers |= {"MCP-Protocol-Version": modern, "Mcp-Method": method}
            name = rpc.params_of(message).get(_NAMED_BY.get(method, ""))
            if isinstance(name, str):
                headers["Mcp-Name"] = _header_value(name)
            return headers | self._tools.headers_for(message)
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        if self._version:
            headers["MCP-Protocol-Version"] = self._version
        return headers

    def _refusal(self, message: Message, response: httpx2.Response) -> Message:
        """What an answer of 300 and above says to a request."""
        status = response.status_code
        if status == 404 and self._session and rpc.version_in(message) is None:
            return _SESSION_LOST
        said = next(iter(_messages(response.content)), {})
        request_id = message.get("id")
        if isinstance(said.get("error"), dict):
            return {**said, "id": request_id}
        if response.is_redirect:
            where = response.headers.get("location", "").partition("?")[0]
            return rpc.error(request_id, f"The server has moved: connect to {where} instead.")
        if status in {401, 403}:
            raise ConnectError(f"{self._host} does not accept this sign-in ({status}).")
        if status >= 500 or status in BUSY:
            raise ConnectError(f"{self._host} answered {status}: try again later.")
        text = f"{self._host} answered {status}."
        if status in {404, 405}:
            text = f"{self._url} is no MCP endpoint ({status}): its address often ends in /mcp."
        return rpc.error(request_id, text, rpc.METHOD_NOT_FOUND)

    async def _reopen(self, lost: str | None) -> None:
        """Begin a new session in the place of one that the server has forgotten."""
        async with self._reopening:
            if self._session != lost or self._opening is None:
                return
            log.info("session lost", next="opening a new one")
            opening = {**self._opening, "id": "redmine-mcp-connect-reopen"}
            self._session = self._version = None
            initialized = rpc.notification("notifications/initialized")
            for message in (opening, initialized):
                async with aclosing(self._attempt(message)) as replies:
                    async for reply in replies:
                        if "error" in reply:
                            self._session = lost
                            raise ConnectError(f"{self._host} has forgotten this session.")
            self._reopened.set()

    def _wants_headers(self, message: Message, reply: Message) -> bool:
        """Whether a call was refused for headers that only the list of tools can tell."""
        code = (reply.get("error") or {}).get("code")
        name = str(rpc.params_of(message).get("name"))
        is_call = message.get("method") == "tools/call"
        return is_call and code == _HEADER_MISMATCH and not self._tools.knows(name)

    async def _learn_tools(self, message: Message) -> None:
        params: dict[str, Any] = {"_meta": rpc.meta_of(message)}
        while True:
            listing = rpc.request("redmine-mcp-connect-tools", "tools/list", params)
            result: dict[str, Any] = {}
            async with aclosing(self._attempt(listing)) as replies:
                async for reply in replies:
                    result = reply.get("result") or result
            self._tools.learn(result)
            if not result.get("nextCursor"):
                return
            params = {**params, "cursor": result["nextCursor"]}


_SESSION_LOST: Message = {"id": None, "error": {"code": 0, "message": "session lost"}}


def _is_distrust(error: BaseException | None) -> bool:
    """Whether a certificate was refused, which it will be again."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def _is_stream(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-type", "").startswith("text/event-stream"))


def _messages_in(event: httpx2.ServerSentEvent) -> list[Message]:
    return _messages(event.data) if event.event == "message" else []


def _messages(data: str | bytes) -> list[Message]:
    """The messages in a body or an event: one, a batch (2025-03-26), or none."""
    try:
        said = json.loads(data) if data else []
    except ValueError:
        return []
    return [each for each in (said if isinstance(said, list) else [said]) if isinstance(each, dict)]


def _header_value(value: str) -> str:
    """Text as an HTTP header: as it is, or in base64 (2026-07-28, Value encoding)."""
    if value.isascii() and value.isprintable() and value == value.strip() and value[:2] != "=?":
        return value
    from mcp.shared.inbound import encode_header_value

    return encode_header_value(value)
