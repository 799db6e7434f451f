"""The port on this machine that the browser comes back to (RFC 8252, 7.3)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from html import escape
from urllib.parse import parse_qsl, urlsplit

from redmine_mcp_core.connect.errors import SignInError

HOST = "127.0.0.1"
PATH = "/callback"

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding:
0 1rem"><h1 style="font-size: 1.5rem">{title}</h1><p>{text}</p></body></html>"""


class Callback:
    """Listens until the browser has come back with an answer to our question."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._state = ""
        self._answer: asyncio.Future[Mapping[str, str]]
        self.redirect_uri = f"http://{HOST}:{listener.getsockname()[1]}{PATH}"

    async def wait(self, state: str) -> Mapping[str, str]:
        """The parameters of the redirect that carries this state. Others are turned away."""
        self._state = state
        self._answer = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(self._serve, sock=self._listener)
        try:
            return await self._answer
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            async with asyncio.timeout(10):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                status, title, text = self._judge(head.split("\r\n", 1)[0])
                body = _PAGE.format(title=escape(title), text=escape(text)).encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n"
                    "Cache-Control: no-store\r\n"
                    "Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
                    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                    "frame-ancestors 'none'\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    def _judge(self, line: str) -> tuple[str, str, str]:
        method, _, target = line.partition(" ")
        target = target.partition(" ")[0]
        if method != "GET" or urlsplit(target).path != PATH:
            return "404 Not Found", "Nothing is here", "Close this tab."
        answer = read_callback(target)
        if not secrets.compare_digest(answer.get("state", "").encode(), self._state.encode()):
            return (
                "400 Bad Request",
                "This page belongs to another sign-in",
                "Use the newest tab that was opened, or begin again.",
            )
        if not self._answer.done():
            self._answer.set_result(answer)
        if "error" in answer:
            reason = answer.get("error_description") or answer["error"]
            return "200 OK", "Not signed in", f"The server said: {reason}"
        return "200 OK", "Almost done", "You can close this tab and go back to where you were."


def read_callback(address: str) -> dict[str, str]:
    """The parameters of a redirect, from its whole address or from the question mark on."""
    return dict(parse_qsl(urlsplit(address.strip()).query))


@asynccontextmanager
async def open_callback(port: int) -> AsyncIterator[Callback]:
    """A callback at this port, or at any free one where it is taken."""
    listener = _listen(port) or _listen(0)
    if listener is None:
        raise SignInError(f"No port on {HOST} is free for the browser to come back to.")
    with listener:
        yield Callback(listener)


def _listen(port: int) -> socket.socket | None:
    listener = socket.socket()
    if sys.platform != "win32":
        # Else a port rests for a minute after each sign-in. On Windows this would share the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    listener.setblocking(False)
    return listener
