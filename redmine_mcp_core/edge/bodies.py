"""How large, how deep and how slow a request may be, before anything parses it."""

from __future__ import annotations

import asyncio
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from redmine_mcp_core.edge.answers import is_mcp, refuse
from redmine_mcp_core.edge.replaying import replayed

MAX_MCP_BODY = 4 * 1024 * 1024
"""Bytes of one MCP message: what the SDK allows by itself. It may carry a file."""
MAX_BODY = 64 * 1024
"""Bytes of any other request: the largest honest ones are registrations and client assertions."""
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
MAX_DEPTH = 64
"""Levels of arrays and objects in JSON. A tool call has about six."""
BODY_SECONDS = 20.0
"""How long a client may take to send its request."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string in JSON. One that does not end is one as well, so that no text is read twice."""
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))


class Bodies:
    """Reads the body of a request, within limits, and hands it on whole."""

    def __init__(self, app: ASGIApp, *, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(headers) > MAX_HEADERS or (
            sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES
        ):
            answer = refuse(scope, 431, "invalid_request", "The headers of this request are large.")
            await answer(scope, receive, send)
            return
        length = _length(headers)
        if length is None:  # there is no body
            await self._app(scope, receive, send)
            return
        try:
            if _is_multipart(headers):
                raise _Refused(415, "Send a form as application/x-www-form-urlencoded.")
            limit = MAX_MCP_BODY if is_mcp(scope) else MAX_BODY
            body = await self._read(receive, limit, length)
            if (is_mcp(scope) or not _is_form(headers)) and deeper_than(body, MAX_DEPTH):
                raise _Refused(400, f"The JSON of this request is deeper than {MAX_DEPTH} levels.")
        except _Refused as refused:
            answer = refuse(scope, refused.status, "invalid_request", str(refused))
            await answer(scope, receive, send)
            return
        await self._app(scope, replayed(body, receive), send)

    async def _read(self, receive: Receive, limit: int, length: int) -> bytes:
        """The body, of which no more than the limit is ever kept. Raises ``_Refused``."""
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._seconds):
                while True:
                    if max(length, size) > limit:
                        raise _Refused(413, f"This request has more than {limit} bytes.")
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Refused(400, "The request ended too early.")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if not message.get("more_body") and size <= limit:
                        return b"".join(chunks)
        except TimeoutError:
            raise _Refused(408, "The request was not sent in time.") from None


class _Refused(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def _length(headers: list[tuple[bytes, bytes]]) -> int | None:
    """The length of a body as its header gives it, 0 where none is given, None for no body."""
    length = None
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            length = int(value) or length
        elif name == b"transfer-encoding":
            length = length or 0
    return length


def _is_multipart(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether it is a form with files: none is wanted here (RFC 6749, appendix B), and what reads
    them keeps them in files."""
    return any(
        name == b"content-type" and value.lower().lstrip().startswith(b"multipart/")
        for name, value in headers
    )


def _is_form(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether nothing but a form can be read from it."""
    types = [value.lower() for name, value in headers if name == b"content-type"]
    return len(types) == 1 and types[0].startswith(b"application/x-www-form-urlencoded")


def deeper_than(body: bytes, depth: int) -> bool:
    """Whether JSON nests deeper than that. It takes time by the length of the body, not more.

    Brackets that do not close count as deep, which no parser would take either.
    """
    opening = body.count(b"[") + body.count(b"{")
    if opening <= depth:
        return False
    brackets = _STRING.sub(b"", body).translate(_BRACKETS, _NO_BRACKET)
    for _ in range(depth):
        if not brackets:
            return False
        # All innermost pairs at once, so one level a turn.
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
